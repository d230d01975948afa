"""One event loop per worker process, many conversations in flight on it.

The loop lives in a thread of its own for as long as the process does. A django-q2 `drain` task rouses it and waits;
when the task's time is up while work goes on, the task ends, the flights do not, and another drain takes its place.
Idle, the loop falls asleep: then nothing here polls, and the next wake-up comes as a task.
"""

import asyncio
import contextlib
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.util import Finalize

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from audit import correlation, heap
from audit.compiled import Update, param
from conversations.live import announce, conversation_topic
from pipeline.agents import threads
from pipeline.engine import mailbox, outbox, turns, workers
from pipeline.engine.database import in_database
from pipeline.engine.faults import FaultPoint, passing
from pipeline.engine.journal import StepJournal
from pipeline.engine.listening import listener_parameters
from pipeline.engine.mailbox import Claim, Rest
from pipeline.engine.runner import MAX_ATTEMPTS, Postponed, run_turn
from pipeline.models import Turn, WorkerKind
from pipeline.phases.state import TurnInput
from pipeline.policies.errors import StaleError
from pipeline.wiring import TurnStore, World, open_world

logger = structlog.get_logger(__name__)

LINGER_S = 1.0
"""How long an executor without work stays awake for more."""
TICK_S = 1.0
BUSY_TICK_S = 0.25
"""How often an executor with flights asks for what came due without news: the end of a burst, or of a pause."""
SHORTEST_WAIT_S = 0.05
CLAIM_PAUSE_S = 0.005
"""How long an executor waits between two claims, for each flight it has: all executors hear of the same news, so the
least busy comes first, and what comes meanwhile is claimed together."""
LONGEST_CLAIM_PAUSE_S = 0.05
CLAIM_BATCH = 20
HEARTBEAT_S = 5.0
ERROR_PAUSE_S = 2.0
LAST_ATTEMPT_PAUSE_S = 0.5
"""How soon a turn asks again whether it may be tried for the last time."""
LANDING_S = 20.0
"""How long flights may take to land once the process has to stop; the cluster's grace time is longer."""
STOP_VARIABLE = "ZUPA_STOP_FD"
"""A pipe whose far end the supervisor holds: it closes when the supervisor says stop, and also when it dies."""


@lru_cache(maxsize=1)
def _executor_of(pid: int) -> "Executor":
    return Executor()


def shared() -> "Executor":
    """This process's executor, started on first use, and again should a defect have ended its loop."""
    executor = _executor_of(os.getpid())
    if executor.is_alive():
        return executor
    _executor_of.cache_clear()
    return _executor_of(os.getpid())


@dataclass(slots=True)
class Flight:
    claim: Claim
    task: asyncio.Task[None]


class Executor:
    def __init__(self) -> None:
        heap.keep_what_is_loaded()
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._roused = asyncio.Event()
        self._idle = threading.Event()
        self._stopping = False
        self._tasks = 0
        self._last_attempt = asyncio.Lock()
        self._flights: dict[int, Flight] = {}
        self._thread = threading.Thread(target=self._run, name="executor")
        self._thread.start()
        # Runs before a q2 worker process joins its threads, which would otherwise wait for the loop for ever.
        Finalize(self, self.stop, exitpriority=100)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def serve(self, run_for_s: float) -> bool:
        """Called by a task: rouse the loop and wait until it is idle. True if it is still busy after `run_for_s`."""
        self._idle.clear()
        self._loop.call_soon_threadsafe(self._roused.set)
        self._loop.call_soon_threadsafe(self._news.set)
        return not self._idle.wait(run_for_s) and not self._stopping

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While a task runs here, the loop's own heartbeat says so: the next task may be long in coming."""
        self._tasks += 1
        try:
            yield
        finally:
            self._tasks -= 1

    def beat(self) -> None:
        """Say that this process is alive and gets work, unless it is an orphan: then it is not to be counted on."""
        if not _is_orphan():
            workers.beat(
                kind=WorkerKind.EXECUTOR,
                cluster=workers.cluster_name(),
                in_flight=len(self._flights),
                left_behind=threads.left_behind(),
                now=timezone.now(),
            )

    def stop(self) -> None:
        """Claim nothing more, let flights land, end the thread. What does not land goes on elsewhere."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._begin_stop)
        self._thread.join()

    def _begin_stop(self) -> None:
        self._stopping = True
        self._roused.set()
        self._news.set()
        self._idle.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        finally:
            self._idle.set()
            self._loop.close()

    async def _live(self) -> None:
        self._watch_stop_pipe()
        async with open_world() as world:
            company = [
                asyncio.create_task(self._beat_for_ever()),
                asyncio.create_task(self._listen_for_ever()),
            ]
            while not self._stopping:
                await self._roused.wait()
                self._roused.clear()
                await self._serve_until_idle(world)
                self._idle.set()
            await self._land()
            for task in company:
                task.cancel()

    def _watch_stop_pipe(self) -> None:
        if descriptor := os.environ.get(STOP_VARIABLE):
            self._loop.add_reader(int(descriptor), self._on_stop_pipe, int(descriptor))

    def _on_stop_pipe(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        self._begin_stop()

    async def _serve_until_idle(self, world: World) -> None:
        """Claim what is due, as it comes due. Idle means: nothing in flight, and nothing due soon."""
        quiet_since = time.monotonic()
        while not self._stopping:
            self._news.clear()
            if await self._claim(world) or self._flights:
                quiet_since = time.monotonic()
                await asyncio.sleep(min(CLAIM_PAUSE_S * len(self._flights), LONGEST_CLAIM_PAUSE_S))
                await self._wait_for_news(BUSY_TICK_S)
                continue
            next_due_in_s = await self._next_due_in_s()
            if time.monotonic() - quiet_since > LINGER_S and next_due_in_s > LINGER_S:
                return
            await self._wait_for_news(min(TICK_S, max(next_due_in_s, SHORTEST_WAIT_S)))

    async def _next_due_in_s(self) -> float:
        try:
            next_due_in_s = await in_database(mailbox.next_due_in_s)
        except DatabaseError:
            return TICK_S
        return math.inf if next_due_in_s is None else next_due_in_s

    async def _claim(self, world: World) -> int:
        """Start a flight for each mailbox that could be leased; their number."""
        free = min(settings.ZUPA.max_in_flight - len(self._flights), CLAIM_BATCH)
        if free <= 0:
            return 0
        try:
            claims = await in_database(mailbox.claim, owner=workers.my_name(), limit=free)
        except DatabaseError:
            logger.warning("executor.database_away", exc_info=True)
            return 0
        for claim in claims:
            task = asyncio.create_task(self._fly(claim, world))
            self._flights[claim.conversation_id] = Flight(claim, task)
        if len(claims) == free:
            self._news.set()
        return len(claims)

    async def _wait_for_news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def _fly(self, claim: Claim, world: World) -> None:
        """All that a conversation has to do, then the lease back. An error is a pause for this conversation only."""
        try:
            with correlation.bound(conversation_id=claim.conversation_id):
                rest = await self._work_through_or_pause(claim, world)
                if not rest.is_released:
                    await in_database(mailbox.release, claim, due_in_s=rest.due_in_s)
        except DatabaseError:
            logger.exception("flight.database_away")
        finally:
            del self._flights[claim.conversation_id]
            self._news.set()

    async def _work_through_or_pause(self, claim: Claim, world: World) -> Rest:
        try:
            return await self._work_through(claim, world)
        except StaleError as error:
            logger.warning("flight.stale", code=error.code, detail=error.detail)
            return Rest(due_in_s=0.0)
        except Exception:
            logger.exception("flight.failed")
            return Rest(due_in_s=ERROR_PAUSE_S)

    async def _work_through(self, claim: Claim, world: World) -> Rest:
        """Send, answer once, send; then the slot goes to whoever's turn it is, however much waits here.

        What was queued before `begin` cleared the due time is seen by the look into the outbox that comes after it, for
        a turn at its commit; what is queued later makes the mailbox due again.
        """
        if claim.has_outbox:
            await outbox.deliver(claim, world.senders, world.gate)
        if self._stopping:
            return Rest(due_in_s=0.0)
        turn = await in_database(turns.begin, claim, now=timezone.now())
        if turn is None:
            return await outbox.deliver(claim, world.senders, world.gate)
        store = world.store(claim)
        if postponed := await self._take_turn(turn, world, store):
            return Rest(due_in_s=postponed.seconds)
        release = Rest(due_in_s=0.0 if turn.leaves_waiting else None)
        rest = await outbox.go_on(claim, store.next_send, world.senders, world.gate, release)
        return release if turn.leaves_waiting and not rest.is_released else rest

    async def _take_turn(self, turn: TurnInput, world: World, store: TurnStore) -> Postponed | None:
        """One last attempt at a time: of the turns that were in flight when their workers died, one is to blame.

        While another is tried, this one waits without its slot; its attempt counts once it begins.
        """
        if turn.attempt < MAX_ATTEMPTS:
            return await self._run_turn(turn, world, store)
        if self._last_attempt.locked():
            return Postponed(LAST_ATTEMPT_PAUSE_S)
        async with self._last_attempt:
            await in_database(turns.begin_last_attempt, turn)
            return await self._run_turn(turn, world, store)

    async def _run_turn(self, turn: TurnInput, world: World, store: TurnStore) -> Postponed | None:
        passing(FaultPoint.TURN_BEGUN)
        ports = world.ports(await StepJournal.open(turn, world.gate), store)
        return await run_turn(turn, ports, _show_phase)

    async def _land(self) -> None:
        tasks = [flight.task for flight in self._flights.values()]
        if tasks:
            logger.info("executor.landing", in_flight=len(tasks))
            await asyncio.wait(tasks, timeout=LANDING_S)

    async def _beat_for_ever(self) -> None:
        """Idle, the loop is silent: only a task can tell that tasks still reach this process."""
        while True:
            if _is_orphan():
                self._begin_stop()
            with contextlib.suppress(DatabaseError):
                if self._tasks or self._flights:
                    await in_database(self.beat)
                await self._renew_leases()
            await asyncio.sleep(HEARTBEAT_S)

    async def _renew_leases(self) -> None:
        """A flight whose lease is gone works for nothing: end it."""
        before = list(self._flights.values())
        claimed = [flight.claim.conversation_id for flight in before]
        held = await in_database(mailbox.renew, workers.my_name(), claimed)
        for flight in before:
            if flight.claim.conversation_id not in held and not flight.task.done():
                flight.task.cancel()

    async def _listen_for_ever(self) -> None:
        """Every NOTIFY of due work is news; so is a connection that came back, since some may have been missed."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **listener_parameters(), autocommit=True
                ) as listener:
                    await listener.execute(f"LISTEN {mailbox.WAKE_CHANNEL}")
                    self._news.set()
                    async for _ in listener.notifies():
                        self._news.set()
            except psycopg.Error:
                await asyncio.sleep(ERROR_PAUSE_S)


def _is_orphan() -> bool:
    """True in a q2 worker whose sentinel died: nobody would restart or stop it."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


async def _show_phase(turn: TurnInput, phase: str) -> None:
    """For the eye only: when the database is away, the phase is not shown."""
    with contextlib.suppress(DatabaseError):
        await in_database(_write_phase, turn, phase)


PHASE = Update(
    lambda: Turn.objects.filter(
        pk=param("turn_id"), lease_epoch=param("lease_epoch"), finished_at__isnull=True
    ),
    phase=param("phase"),
)


def _write_phase(turn: TurnInput, phase: str) -> None:
    """No transaction around it: what is lost between the two is not worth one."""
    PHASE.execute(turn_id=turn.turn_id, lease_epoch=turn.lease_epoch, phase=phase)
    announce(conversation_topic(turn.conversation_id))
