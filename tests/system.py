"""A whole Zupa for acceptance and chaos tests: its own database, home and ports, and the real processes.

with System(home) as system:
    httpx2.post(system.demo["channels"][0]["webhook_url"], ...)
    system.kill("worker")
    system.start("worker")
    assert system.rows("SELECT ...") == [...]
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, LiteralString, Self

import httpx2
import psutil
import psycopg
from psycopg.rows import dict_row

from tests import databases
from zupa_site import embedded_postgres
from zupa_site.environment import CHECKOUT

Name = Literal["simulator", "web", "worker"]

START_ORDER: tuple[Name, ...] = ("simulator", "web", "worker")
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
NOT_INHERITED = {
    "ZUPA_ENV",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "SENTRY_DSN",
    "REDIS_URL",
    "DEBUG",
    "DATABASE_URL",
}


class System:
    """Everything that `make run` starts. `own_postgres` gives it a server that it may crash and restart."""

    def __init__(
        self, home: Path, *, own_postgres: bool = False, variables: Mapping[str, str] | None = None
    ) -> None:
        self.home = home.resolve()
        self.own_postgres = own_postgres
        self.port, self.simulator_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.simulator_url = f"http://127.0.0.1:{self.simulator_port}"
        self.database_url = ""
        self.demo: dict[str, Any] = {}
        self._variables = dict(variables or {})
        self._processes: dict[Name, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for part in ("logs", "media", "static"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        try:
            self._make_database()
            self.demo = json.loads(self.manage("demo", "--json"))
            for name in START_ORDER:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop gracefully what still runs, kill what does not stop, remove the database."""
        for name in reversed(START_ORDER):
            self.stop(name)
        for process in self.stragglers():
            with suppress(psutil.Error):
                process.kill()
        if self.own_postgres:
            embedded_postgres.stop(self.home)
        elif self.database_url:
            databases.drop(self.database_url)

    def start(self, name: Name, **variables: str) -> None:
        """Start one process, with these variables besides, and wait until it is ready to work."""
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._command(name),
                cwd=CHECKOUT,
                env=self._environment() | {"ZUPA_PROCESS": _role_of(name)} | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ready = {
            "simulator": self._simulator_answers,
            "web": self._web_answers,
            "worker": self._worker_beats,
        }[name]
        self._wait_until(name, ready)

    def stop(self, name: Name) -> None:
        """SIGTERM, as Ctrl-C or a deployment sends it; SIGKILL for all of it when it does not end in time."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self, name: Name) -> None:
        """SIGKILL to the process alone: its children have to notice by themselves."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def children(self, name: Name) -> list[psutil.Process]:
        """The processes below one of ours, for tests that kill them."""
        return psutil.Process(self._processes[name].pid).children(recursive=True)

    def processes(self, name: Name) -> list[psutil.Process]:
        """One of ours and all below it."""
        return [psutil.Process(self._processes[name].pid), *self.children(name)]

    def stop_postgres(self, mode: Literal["fast", "immediate"] = "immediate") -> None:
        """`immediate` is a crash: connections break, the next start recovers from the log."""
        self._require_own_postgres()
        embedded_postgres.stop(self.home, mode)

    def start_postgres(self) -> None:
        self._require_own_postgres()
        embedded_postgres.ensure_running(self.home)

    def rows(self, query: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def manage(self, *arguments: str) -> str:
        """Run a management command against this system; returns what it printed, raises with what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(
                f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
            )
        return done.stdout

    def log(self, name: Name) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _command(self, name: Name) -> list[str]:
        daphne = [
            "-m",
            "daphne",
            "-v",
            "0",
            "-b",
            "127.0.0.1",
            "-p",
            str(self.port),
            "zupa_site.asgi:application",
        ]
        return [sys.executable, *(daphne if name == "web" else ["manage.py", name])]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        own = {
            "DJANGO_SETTINGS_MODULE": "zupa_site.settings",
            "ZUPA_HOME": str(self.home),
            "PORT": str(self.port),
            "SIMULATOR_PORT": str(self.simulator_port),
        }
        database = {} if self.own_postgres else {"DATABASE_URL": self.database_url}
        return inherited | own | database | self._variables

    def _make_database(self) -> None:
        if self.own_postgres:
            self.database_url = embedded_postgres.ensure_running(self.home)
            self.manage("migrate", "--no-input", "--verbosity", "0")
            return
        self.database_url = databases.create(hashlib.sha256(str(self.home).encode()).hexdigest()[:16])

    def _require_own_postgres(self) -> None:
        if not self.own_postgres:
            raise AssertionError("This system shares its PostgreSQL: make it with own_postgres=True.")

    def stragglers(self) -> Iterator[psutil.Process]:
        """Processes of this system, also those that lost their parent: all carry its home in their environment."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                ours = process.environ().get("ZUPA_HOME") == str(self.home)
                if ours and process.name() != "postgres":
                    yield process

    def _wait_until(self, name: Name, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not ready():
            code = self._processes[name].poll()
            if code is not None or time.monotonic() > deadline:
                state = "is not ready" if code is None else f"ended with {code}"
                raise AssertionError(f"{name} {state}:\n{self.log(name).read_text()[-4000:]}")
            time.sleep(0.05)

    def _simulator_answers(self) -> bool:
        return _answers(f"{self.simulator_url}/_sim/calls")

    def _web_answers(self) -> bool:
        return _answers(f"{self.url}/health/live")

    def _worker_beats(self) -> bool:
        """A heartbeat of a process that this start made, not of one before it."""
        with suppress(psycopg.OperationalError):
            pids = [row["pid"] for row in self.rows("SELECT pid FROM pipeline_worker")]
            return self._processes["worker"].pid in pids
        return False


def _role_of(name: Name) -> str:
    return name if name in {"web", "worker"} else "command"


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5).status_code < 500
    except httpx2.HTTPError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
