"""The doors, from outside: what a person reads who set something wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from zupa_site.environment import CHECKOUT


def start(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "ZUPA_HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_refuses_a_wrong_setting_in_one_sentence(home: Path) -> None:
    done = start(home, "manage.py", "check", WORKERS="many")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Zupa does not start.",
        "WORKERS is 'many': give a whole number from 1 to 256, or unset it to use 2.",
    ]


def test_the_web_process_refuses_a_wrong_setting_in_one_sentence(home: Path) -> None:
    done = start(home, "-m", "daphne", "zupa_site.asgi:application", ZUPA_ENV="production")
    assert done.returncode == 2
    assert "SECRET_KEY is missing in production" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_refuses_a_taken_port_before_it_starts_anything(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = start(home, "manage.py", "run", PORT=str(port))
    assert done.returncode == 2
    assert f"PORT is {port}, which another program uses" in done.stderr
    assert f"PORT={port + 1} make run" in done.stderr
    assert not (home / "postgres").exists()


def test_run_refuses_production(home: Path) -> None:
    secrets = {"SECRET_KEY": "Lq8-3kZt0xWv5nRb7yHc2mJd9fGs4pTu6aEi1oXr-QwNzVb_MhYk"}
    done = start(
        home,
        "manage.py",
        "run",
        ZUPA_ENV="production",
        ALLOWED_HOSTS="zupa.example.org",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        FIELD_ENCRYPTION_KEYS="3JtGkZ6cX1v8b0nq5w2e7r4t9y6u3i0o1p5a8s7d4fA=",
        **secrets,
    )
    assert done.returncode == 2
    assert "compose.yaml" in done.stderr


def test_a_command_starts_the_embedded_database_and_stops_it(home: Path) -> None:
    done = start(home, "manage.py", "showmigrations", "audit")
    assert done.returncode == 0
    assert "[ ] 0001_initial" in done.stdout
    assert (home / "postgres" / "PG_VERSION").exists()
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_the_doctor_says_what_to_do_and_fails(home: Path) -> None:
    done = start(home, "manage.py", "doctor", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "fail  database" in done.stdout
    assert "-> Start PostgreSQL, or correct DATABASE_URL." in done.stdout


def test_the_doctor_finds_missing_migrations(home: Path) -> None:
    done = start(home, "manage.py", "doctor")
    assert done.returncode == 1
    assert "-> `manage.py migrate`" in done.stdout
