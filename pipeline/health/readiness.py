"""Whether this installation can answer messages now."""

import logging
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from pipeline import queries
from pipeline.health.problems import LONGEST_WAIT

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 3.0
"""A probe gets its answer within this time, also when the database gives none."""
CHECKS = ("database", "migrations", "worker", "queue")

_probes: Executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readiness")


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: dict[str, Check]

    @property
    def ready(self) -> bool:
        return all(check.ok for check in self.checks.values())

    def as_json(self) -> dict[str, Any]:
        return {"ready": self.ready, "checks": {name: asdict(check) for name, check in self.checks.items()}}


def readiness(now: datetime, within_s: float = ANSWER_WITHIN_S) -> Readiness:
    """Ask in a thread of its own: a connection that hangs would otherwise hold the probe for longer than it waits."""
    try:
        return _probes.submit(_ask, now).result(timeout=within_s)
    except Late:
        return _unreachable(f"no answer within {within_s:g} s")


def _ask(now: datetime) -> Readiness:
    try:
        return Readiness(dict(zip(CHECKS, _checks(now), strict=True)))
    except DatabaseError as error:
        log.warning("The database does not answer the readiness probe: %s", error)
        return _unreachable("does not answer")
    finally:
        connection.close()


def _unreachable(detail: str) -> Readiness:
    rest = dict.fromkeys(CHECKS[1:], Check(False, "not asked: the database is away"))
    return Readiness({CHECKS[0]: Check(False, detail), **rest})


def _checks(now: datetime) -> Iterator[Check]:
    connection.ensure_connection()
    yield Check(True, "answers")
    missing = len(_known_migrations() - set(MigrationRecorder(connection).applied_migrations()))
    yield Check(
        not missing, f"{missing} not applied: run `python manage.py migrate`" if missing else "all applied"
    )
    if missing:
        yield from [Check(False, "not asked: migrations are missing")] * 2
    else:
        yield _worker(now)
        yield _queue(now)


def _worker(now: datetime) -> Check:
    alive = len(queries.workers_alive(now))
    return Check(bool(alive), f"{alive} alive" if alive else "none alive: run `python manage.py worker`")


def _queue(now: datetime) -> Check:
    waiting = queries.queue(now)
    age = waiting.oldest_age(now)
    detail = f"{waiting.pending} pending, the oldest for {age.total_seconds():.0f} s, limit {LONGEST_WAIT.seconds} s"
    return Check(age <= LONGEST_WAIT, detail)


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """The migrations of this code; they do not change while it runs."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
