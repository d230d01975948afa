from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg

from zupa_site import embedded_postgres
from zupa_site.environment import CHECKOUT

HOLD = """
import sys
from pathlib import Path
from zupa_site import embedded_postgres
with embedded_postgres.in_use(Path(sys.argv[1])):
    print("holding", flush=True)
    sys.stdin.read()
"""


def hold(home: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(home)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout
    assert process.stdout.readline() == "holding\n"
    return process


def release(process: subprocess.Popen[str]) -> None:
    process.communicate()


def test_it_starts_answers_keeps_data_and_stops(home: Path) -> None:
    with embedded_postgres.in_use(home) as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    assert embedded_postgres.server_pid(home) is None
    with embedded_postgres.in_use(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_whoever_leaves_last_stops_it(home: Path) -> None:
    first = hold(home)
    with embedded_postgres.in_use(home):
        pid = embedded_postgres.server_pid(home)
        release(first)
        assert embedded_postgres.server_pid(home) == pid
    assert embedded_postgres.server_pid(home) is None


def test_a_killed_user_does_not_keep_it_running(home: Path) -> None:
    killed = hold(home)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert embedded_postgres.server_pid(home) is not None
    with embedded_postgres.in_use(home):
        pass
    assert embedded_postgres.server_pid(home) is None


def test_several_processes_start_it_together(home: Path) -> None:
    with ThreadPoolExecutor() as pool:
        holders = list(pool.map(hold, [home] * 3))
    for holder in holders:
        release(holder)
    assert embedded_postgres.server_pid(home) is None


def test_it_recovers_from_a_crash_that_left_its_pid_to_another_process(home: Path) -> None:
    with embedded_postgres.in_use(home):
        pid = embedded_postgres.server_pid(home)
        assert pid is not None
        server = psutil.Process(pid)
        children = server.children()
        server.kill()
        psutil.wait_procs([server, *children])
    pid_file = embedded_postgres.data_folder(home) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with embedded_postgres.in_use(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_interrupted_first_start_is_made_anew(home: Path) -> None:
    (home / "postgres.new").mkdir()
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")
    with embedded_postgres.in_use(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_home_too_deep_for_a_socket_works(home: Path) -> None:
    deep = home.joinpath(*["a-rather-long-folder-name"] * 5)
    with embedded_postgres.in_use(deep) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_durability_stays_on(home: Path) -> None:
    with embedded_postgres.in_use(home) as url, psycopg.connect(url) as connection:
        names = ["fsync", "synchronous_commit", "full_page_writes"]
        rows = connection.execute("SELECT setting FROM pg_settings WHERE name = ANY(%s)", [names]).fetchall()
        assert rows == [("on",)] * 3
