"""The figures of this moment, read once and shown as a page, as metrics or as a status."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from conversations.access import tenant_ids
from pipeline import queries
from pipeline.controls.queries import not_ended
from pipeline.desk import Waiting, desk
from pipeline.models import Breaker, HousekeepingRun, Switch, Worker, WorkerKind
from pipeline.queries import Failure, Outbox, PausedChannel, Queue, Tenants

LOOK_BACK = timedelta(hours=24)
FAILURES_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which figures somebody may see, and of which tenants (None: all). Figures of the whole machine know no tenant."""

    events: bool
    messages: bool
    turns: bool
    workers: bool
    breakers: bool
    channels: bool
    switches: bool
    housekeeping: bool
    reviews: bool = False
    tenants: Tenants = None

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, field.name) is True for field in fields(self))


EVERYTHING = Scope(
    events=True,
    messages=True,
    turns=True,
    workers=True,
    breakers=True,
    channels=True,
    switches=True,
    housekeeping=True,
    reviews=True,
)


def scope_of(user: User) -> Scope:
    tenants = tenant_ids(user)
    sees_machine = tenants is None
    return Scope(
        events=user.has_perm("pipeline.view_processedevent"),
        messages=user.has_perm("conversations.view_message"),
        turns=user.has_perm("pipeline.view_turn"),
        workers=sees_machine and user.has_perm("pipeline.view_worker"),
        breakers=sees_machine and user.has_perm("pipeline.view_breaker"),
        channels=user.has_perm("conversations.view_channel"),
        switches=user.has_perm("pipeline.view_switch"),
        housekeeping=sees_machine and user.has_perm("pipeline.view_housekeepingrun"),
        tenants=tenants,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is out of `scope` is None and was not read. `failures` are the newest of the `failed` in LOOK_BACK.

    `switches` are those in force and those that wait for a second person. `housekeeping` is its last run.
    """

    now: datetime
    scope: Scope
    queue: Queue | None
    outcomes: dict[str, int] | None
    failures: list[Failure] | None
    failed: int | None
    outbox: Outbox | None
    open_turns: int | None
    workers: list[Worker] | None
    breakers: list[Breaker] | None
    paused_channels: list[PausedChannel] | None
    switches: list[Switch] | None
    housekeeping: HousekeepingRun | None
    reviews: Waiting | None

    @property
    def since(self) -> datetime:
        return self.now - LOOK_BACK

    @property
    def executors(self) -> int:
        return sum(worker.kind == WorkerKind.EXECUTOR for worker in self.workers or ())


def read(now: datetime, scope: Scope = EVERYTHING) -> Figures:
    since, of = now - LOOK_BACK, scope.tenants
    return Figures(
        now=now,
        scope=scope,
        queue=queries.queue(now, of) if scope.events else None,
        outcomes=queries.outcomes_since(queries.day_start(now), of) if scope.events else None,
        failures=queries.recent_failures(since, FAILURES_SHOWN, of) if scope.events else None,
        failed=queries.troubled_events(since, of).count() if scope.events else None,
        outbox=queries.outbox(since, now, of) if scope.messages else None,
        open_turns=queries.open_turns(of) if scope.turns else None,
        workers=queries.workers_alive(now) if scope.workers else None,
        breakers=queries.breakers() if scope.breakers else None,
        paused_channels=queries.paused_channels(of) if scope.channels else None,
        switches=list(not_ended(of)) if scope.switches else None,
        housekeeping=queries.last_housekeeping() if scope.housekeeping else None,
        reviews=desk().waiting() if scope.reviews else None,
    )
