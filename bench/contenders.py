"""Zupa and its rivals, each as something that can be started, given a backlog, watched and stopped."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import LiteralString, Protocol

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from bench.load import send_backlog
from bench.rivals.surroundings import WORKERS, Surroundings
from bench.stage import Stage
from bench.throughput import TOOL_CALL
from zupa_site.environment import CHECKOUT

IN_FLIGHT = 100
"""A worker process, where it can hold more than one."""
RELEASED_S = 5.0

_groups = count(100)


class Contender(Protocol):
    here: Stage
    name: str
    holds_many: bool
    """Whether a worker process works on many messages at the same time."""

    def start(self) -> None:
        """Its worker processes, beside nobody else's."""

    def lay_in(self, number: int) -> None:
        """So many messages to answer, each of its own conversation; when it returns, all of them may be taken."""

    def counting(self) -> AbstractContextManager[Callable[[], int]]:
        """Gives what tells the number of messages answered so far, ever growing."""

    def processes(self) -> list[psutil.Process]: ...

    def stop(self) -> None: ...


@dataclass(slots=True)
class Zupa:
    """Its backlog comes by webhooks, behind a closed gate: nothing may be in flight until it is laid in."""

    here: Stage
    name: str = "Zupa"
    holds_many: bool = True

    def start(self) -> None:
        self.here.system.start("worker")

    def lay_in(self, number: int) -> None:
        self._let_in_flight(0)
        group = next(_groups)
        webhooks = [self.here.webhook(f"55{group}{n:05}", TOOL_CALL) for n in range(number)]
        asyncio.run(send_backlog(webhooks))
        time.sleep(RELEASED_S)
        self._let_in_flight(1000)

    def _let_in_flight(self, number: int) -> None:
        with psycopg.connect(self.here.system.database_url) as connection:
            connection.execute("UPDATE conversations_tenant SET max_in_flight = %s", [number])

    def counting(self) -> AbstractContextManager[Callable[[], int]]:
        """Sent, that is; its last transaction comes a moment later."""
        return _counting(
            self.here.system.database_url,
            "SELECT count(*) FROM conversations_message WHERE direction = 'out' AND delivery = 'sent'",
        )

    def processes(self) -> list[psutil.Process]:
        return [*self.here.system.processes("worker"), *self.here.system.processes("web")]

    def stop(self) -> None:
        self.here.system.stop("worker")


@dataclass(slots=True)
class Rival:
    """`programs`: how often its program has to be started for two worker processes."""

    here: Stage
    name: str
    module: str
    done_query: LiteralString
    holds_many: bool = True
    programs: int = WORKERS
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ending: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def prepare(self) -> None:
        with psycopg.connect(self.here.system.database_url, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(self.database)))
        self._run("prepare")

    @property
    def database(self) -> str:
        return f"rival_{self.module}"

    def start(self) -> None:
        log = (self.here.system.home / "logs" / f"{self.database}.log").open("ab")
        with log:
            self.running = [
                subprocess.Popen(
                    self._command("work"),
                    cwd=CHECKOUT,
                    env=self._environment(),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for _ in range(self.programs)
            ]

    def lay_in(self, number: int) -> None:
        """Its program says so as soon as they are queued; that it ends itself as well is nothing to wait for."""
        task = self._command("lay-in", str(number), str(next(_groups)))
        program = subprocess.Popen(task, cwd=CHECKOUT, env=self._environment(), stdout=subprocess.PIPE)
        assert program.stdout is not None
        with program.stdout as said:
            if not said.readline():
                raise RuntimeError(f"{self.name} could not queue its messages.")
        self.ending.append(program)

    def counting(self) -> AbstractContextManager[Callable[[], int]]:
        return _counting(self._url(), self.done_query)

    def processes(self) -> list[psutil.Process]:
        parents = [psutil.Process(process.pid) for process in self.running]
        return [each for parent in parents for each in (parent, *parent.children(recursive=True))]

    def stop(self) -> None:
        for process in self.processes():
            process.kill()
        for program in (*self.running, *self.ending):
            program.wait()
        self.running, self.ending = [], []

    def _run(self, *task: str) -> None:
        subprocess.run(self._command(*task), cwd=CHECKOUT, env=self._environment(), check=True)

    def _command(self, *task: str) -> list[str]:
        return [sys.executable, "-m", "bench.rivals", self.module, *task]

    def _environment(self) -> dict[str, str]:
        simulator = self.here.system.simulator_url
        around = Surroundings(
            database_url=self._url(),
            model_url=f"{simulator}/v1",
            send_url=f"{simulator}/graph/v23.0/{self.here.channel['phone_number_id']}/messages",
            in_flight=IN_FLIGHT,
        )
        return {**os.environ, **around.as_variables()}

    def _url(self) -> str:
        host = conninfo_to_dict(self.here.system.database_url)["host"]
        return f"postgresql://postgres@/{self.database}?host={host}"


@contextmanager
def _counting(url: str, query: LiteralString) -> Iterator[Callable[[], int]]:
    """By one connection: a new one for each look would cost the server as much as some turns do."""
    with psycopg.connect(url, autocommit=True) as connection:

        def count_done() -> int:
            row = connection.execute(query).fetchone()
            assert row is not None
            return int(row[0])

        yield count_done


def rivals(here: Stage) -> list[Rival]:
    """Ready to start, each with a database of its own on the same server."""
    found = [
        Rival(
            here,
            "django-q2",
            "q2",
            "SELECT count(*) FROM turn WHERE finished_at IS NOT NULL",
            holds_many=False,
            programs=1,
        ),
        Rival(here, "LangGraph", "langgraph", "SELECT count(*) FROM job WHERE finished_at IS NOT NULL"),
        Rival(here, "DBOS", "dbos", "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"),
    ]
    for rival in found:
        rival.prepare()
    return found
