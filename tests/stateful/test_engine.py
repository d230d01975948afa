"""Ledger, mailbox, turn and outbox against a small model, in whatever order things happen to them.

Workers claim, begin, run, commit, send, stand still, die; leases end; platforms deliver twice, lose answers and report
in any order; people requeue and send again. After each step the rules of the architecture (section 4) hold; in the end
a healthy worker brings everything to rest, and every message has had its one outcome.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conversations.models import ChannelKind, Delivery, Direction, Message
from pipeline import dead_letters
from pipeline.controls.switchboard import Switchboard
from pipeline.engine import database, holds, mailbox, outbox, turns
from pipeline.engine.commit import commit_and_mark
from pipeline.engine.gate import Gate
from pipeline.engine.journal import StepJournal
from pipeline.engine.mailbox import Claim, Rest
from pipeline.engine.runner import run_turn
from pipeline.engine.statuses import StatusUpdate
from pipeline.ingress import operations
from pipeline.models import (
    UNFINISHED,
    EventKind,
    EventStatus,
    Mailbox,
    Outcome,
    ProcessedEvent,
    Step,
    Turn,
    TurnStatus,
)
from pipeline.phases.state import TurnInput, TurnState
from pipeline.policies.errors import StaleError
from pipeline.ports import Ports
from pipeline.transports import base
from pipeline.transports.base import InboundEvent
from pipeline.wiring import LogTelemetry, TurnStore
from review import decisions, expiry
from review.decisions import LateError, Verdict
from review.models import APPROVALS, ReviewDecision, ReviewItem, ReviewStatus
from tests import factories
from tests.stateful import rules
from tests.stateful.rules import ADDRESSES, OPEN, SENT, Book, Expected
from tests.stateful.world import DiedError, Hands, HeldError, Here, Model, Platform, Store, World, epoch_of

LONG = os.environ.get("ZUPA_CHAOS") == "long"
TEXTS = ("hello", "act", "act", "ask", "ask", "/help")

here = Here()
chance = st.randoms(use_true_random=False)


@dataclass
class Worker:
    """A process with one conversation in flight."""

    claim: Claim
    turn: TurnInput | None = None
    state: TurnState | None = None


class Engine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.example = transaction.atomic()
        self.example.__enter__()
        self.book, self.world = Book(), World()
        self.workers: list[Worker] = []
        self.numbers = count(1)

    def teardown(self) -> None:
        try:
            self.come_to_rest()
        finally:
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)

    @initialize(
        burst_window_s=st.sampled_from([0.0, 0.001]), policy=st.sampled_from(["reply", "wait", "person"])
    )
    def begin_the_world(self, burst_window_s: float, policy: str) -> None:
        agent = factories.agent(
            burst_window_s=burst_window_s, outage_policy=policy, rate_limit_per_minute=10_000
        )
        self.channel = factories.channel(agent=agent, kind=ChannelKind.WHATSAPP_CLOUD)
        self.person = factories.user()

    # What platforms do

    @rule(address=st.sampled_from(ADDRESSES), text=st.sampled_from(TEXTS))
    def deliver(self, address: str, text: str) -> None:
        number = next(self.numbers)
        key = f"{address}-{number}"
        self.book.messages[key] = Expected(text)
        assert self.post(key, text).accepted == 1

    @precondition(lambda self: self.book.messages)
    @rule(random=chance, differs=st.booleans(), copies=st.integers(1, 3))
    def deliver_again(self, random: Any, differs: bool, copies: int) -> None:
        key = random.choice(sorted(self.book.messages))
        expected = self.book.messages[key]
        expected.duplicates += copies
        expected.conflicts += differs  # equal copies in one POST conflict as one
        receipt = self.post(key, expected.text + "!" * differs, copies)
        assert (receipt.accepted, receipt.duplicates) == (0, copies)

    def post(self, key: str, text: str, copies: int = 1) -> operations.Receipt:
        payload = {"type": "text", "text": text, "media": {}, "provider_id": key, "raw": {"text": text}}
        event = InboundEvent(
            dedupe_key=key,
            kind=EventKind.MESSAGE,
            address=key.split("-")[0],
            contact_name="",
            payload=payload,
            platform_at=None,
        )
        delivery = base.Delivery(events=[event] * copies)
        return operations.accept(
            channel=self.channel, rules=(), delivery=delivery, request_id="r", now=timezone.now()
        )

    @precondition(lambda self: self.world.accepted)
    @rule(random=chance, reported=st.sampled_from([*SENT, Delivery.FAILED]))
    def report(self, random: Any, reported: Delivery) -> None:
        """Of a message that it took: late, twice, out of order."""
        reference = random.choice(self.world.accepted)
        update = StatusUpdate(f"wamid.{reference}", reference, reported, datetime.now(UTC), error_code="")
        before = Message.objects.get(idempotency_key=reference).delivery
        operations.accept(
            channel=self.channel,
            rules=(),
            delivery=base.Delivery(statuses=[update]),
            request_id="r",
            now=timezone.now(),
        )
        after = Message.objects.get(idempotency_key=reference).delivery
        assert not (before in SENT and after not in (*SENT, Delivery.FAILED)), "moved down"

    # What workers do

    @rule(begins=st.booleans())
    def claim(self, begins: bool) -> None:
        owner = f"worker-{next(self.numbers)}"
        claimed = [Worker(claim) for claim in mailbox.claim(owner=owner, limit=1)]
        self.workers += claimed
        for worker in claimed * begins:
            self.begin_of(worker)

    @precondition(lambda self: self.workers)
    @rule(
        random=chance,
        befalls=st.sampled_from(
            ["", "", "unknown", "unknown but sent", "down", "refuses", "dies before", "dies after"]
        ),
    )
    def send(self, random: Any, befalls: str) -> None:
        self.send_of(random.choice(self.workers), befalls)

    def send_of(self, worker: Worker, befalls: str) -> float | None:
        senders = self.senders(worker, befalls)
        return self.sent(worker, outbox.deliver(worker.claim, senders, Gate()))

    def senders(self, worker: Worker, befalls: str) -> outbox.Senders:
        return {ChannelKind.WHATSAPP_CLOUD: Platform(self.world, worker.claim, befalls)}

    def sent(self, worker: Worker, sending: Coroutine[Any, Any, Rest]) -> float | None:
        try:
            rest = here.run(sending)
        except StaleError:
            assert self.is_stale(worker)
            self.workers.remove(worker)
        except DiedError:
            self.workers.remove(worker)
        else:
            if rest.is_released:
                self.workers.remove(worker)
            return rest.due_in_s
        return None

    @precondition(lambda self: any(worker.turn is None for worker in self.workers))
    @rule(random=chance)
    def begin(self, random: Any) -> None:
        self.begin_of(random.choice([worker for worker in self.workers if worker.turn is None]))

    def begin_of(self, worker: Worker, due_in_s: float | None = None) -> None:
        try:
            worker.turn = turns.begin(worker.claim, now=timezone.now())
        except StaleError:
            assert self.is_stale(worker)
            self.workers.remove(worker)
            return
        if worker.turn is None:
            due_in_s = 1.0 if due_in_s is None and self.unsent(worker) else due_in_s
            mailbox.release(worker.claim, due_in_s=due_in_s)
            self.workers.remove(worker)

    def unsent(self, worker: Worker) -> bool:
        """The executor always sends before it asks for a turn; here the order is anyone's."""
        queued = Message.objects.filter(conversation_id=worker.claim.conversation_id, delivery__in=OPEN)
        return queued.exists()

    @precondition(lambda self: any(worker.turn and not worker.state for worker in self.workers))
    @rule(
        random=chance,
        model=st.sampled_from(
            ["", "", "", "", "down", "down after the tool", "refuses", "dies", "dies after the tool"]
        ),
        tool=st.sampled_from(["", "", "", "dies before", "dies after"]),
    )
    def run(self, random: Any, model: str, tool: str) -> None:
        """Up to the commit, and not further."""
        ready = [worker for worker in self.workers if worker.turn and not worker.state]
        self.run_of(random.choice(ready), Model(model), Hands(self.world, tool))

    def run_of(self, worker: Worker, model: Model, hands: Hands) -> None:
        assert worker.turn is not None
        store = Store(TurnStore(worker.claim, {}))

        async def through_the_phases() -> Any:
            assert worker.turn is not None
            journal = await StepJournal.open(worker.turn, Gate())
            ports = Ports(
                model=model,
                tools=hands,
                journal=journal,
                store=store,
                telemetry=LogTelemetry(),
                controls=Switchboard(),
            )
            return await run_turn(worker.turn, ports, _in_silence)

        try:
            postponed = here.run(through_the_phases())
        except HeldError:
            worker.state = store.held
            return
        except DiedError:
            self.workers.remove(worker)
            return
        except StaleError:
            assert self.is_stale(worker)
            self.workers.remove(worker)
            return
        assert postponed is not None
        mailbox.release(worker.claim, due_in_s=postponed.seconds)
        self.workers.remove(worker)

    @precondition(lambda self: any(worker.state for worker in self.workers))
    @rule(
        random=chance,
        twice=st.booleans(),
        releases=st.booleans(),
        befalls=st.sampled_from(["", "", "unknown", "down", "dies before", "dies after"]),
    )
    def commit(self, random: Any, twice: bool, releases: bool, befalls: str) -> None:
        worker = random.choice([worker for worker in self.workers if worker.state])
        self.commit_of(worker, befalls, twice=twice, releases=releases)

    def commit_of(
        self, worker: Worker, befalls: str = "", *, twice: bool = True, releases: bool = True
    ) -> None:
        """Refused to whoever lost the lease, and to nobody else; then what it marked goes out.

        `twice`: the database broke off after it had committed. `releases`: the lease goes back with the last send.
        """
        assert worker.state is not None
        is_stale, senders = self.is_stale(worker), self.senders(worker, befalls)
        try:
            for _ in range(1 + twice):
                committed = commit_and_mark(worker.state, worker.claim, senders, now=timezone.now())
        except StaleError:
            assert is_stale
            self.workers.remove(worker)
            worker.state = None
            return
        assert not is_stale
        release = Rest(0.0 if worker.state.input.leaves_waiting else None) if releases else None
        worker.turn = worker.state = None
        self.sent(worker, outbox.go_on(worker.claim, committed.next_send, senders, Gate(), release))

    @rule(model=st.sampled_from(["", "", "down after the tool", "dies after the tool"]))
    def fly(self, model: str) -> None:
        """All that a conversation has to do, in one go; time has passed before."""
        self.time_passes()
        before = list(self.workers)
        self.claim(begins=True)
        for worker in [each for each in self.workers if each not in before and each.turn]:
            self.run_of(worker, Model(model), Hands(self.world, ""))
            if worker.state:
                self.commit_of(worker)

    @precondition(lambda self: self.workers)
    @rule(random=chance)
    def die(self, random: Any) -> None:
        self.workers.remove(random.choice(self.workers))

    # What time and people do

    @precondition(lambda self: Mailbox.objects.exclude(lease_owner="").exists())
    @rule(random=chance, taken_over=st.booleans())
    def lease_ends(self, random: Any, taken_over: bool) -> None:
        """Of a worker that died, or that stands still and goes on later."""
        leased = list(
            Mailbox.objects.exclude(lease_owner="").order_by("pk").values_list("lease_owner", flat=True)
        )
        assert mailbox.expire_leases(dead_owners=[random.choice(leased)]) == 1
        if taken_over:
            self.claim(begins=True)

    @rule()
    def time_passes(self) -> None:
        """Enough of it for every pause and every breaker's rest."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE pipeline_mailbox SET due_at = now() WHERE due_at > now()")
            cursor.execute("UPDATE conversations_message SET send_after = NULL WHERE send_after IS NOT NULL")
            cursor.execute("DELETE FROM pipeline_breaker")

    @rule(random=chance)
    def requeue(self, random: Any) -> None:
        ended = ProcessedEvent.objects.filter(outcome__in=dead_letters.REQUEUEABLE).order_by("pk")
        if not ended:
            return
        event = random.choice(list(ended))
        taken = dead_letters.requeue(event_ids=[event.pk], by="ada", reason="again", now=timezone.now())
        assert taken == 1
        self.book.messages[event.dedupe_key].requeues += 1

    @rule(random=chance)
    def send_again(self, random: Any) -> None:
        lost = Message.objects.filter(delivery__in=[Delivery.UNKNOWN, Delivery.FAILED]).order_by("pk")
        if not lost:
            return
        message = random.choice(list(lost))
        taken = dead_letters.send_again(message_ids=[message.pk], by="ada", reason="risk", now=timezone.now())
        assert taken == 1
        self.book.risks[message.pk] += 1

    @precondition(lambda self: Turn.objects.filter(status=TurnStatus.SUSPENDED).exists())
    @rule(random=chance, decision=st.sampled_from(["approve", "approve", "reject", "answer"]))
    def decide(self, random: Any, decision: str) -> None:
        """Refused only where the contact wrote again."""
        item = random.choice(list(proposals()))
        keys = list(ProcessedEvent.objects.filter(turn=item.turn).values_list("dedupe_key", flat=True))
        verdict = Verdict(
            decision=ReviewDecision(decision), fingerprint=item.fingerprint, reason="so", text="Me."
        )
        try:
            decisions.decide(item.pk, verdict, by=self.person, now=timezone.now())
        except LateError:
            assert holds.has_news(item.turn_id, item.step_key)
            return
        self.book.approvals.update(keys * (decision == "approve"))

    @rule()
    def nobody_decides_in_time(self) -> None:
        proposals().update(due_at=timezone.now())
        expiry.expire(now=timezone.now(), limit=10)

    # What always holds

    @invariant()
    def rules_hold(self) -> None:
        rules.check(self.book, self.world)

    def is_stale(self, worker: Worker) -> bool:
        return epoch_of(worker.claim.conversation_id) != worker.claim.lease_epoch

    # How it ends

    def come_to_rest(self) -> None:
        """Whoever still works stands still for ever; a healthy worker takes over."""
        self.workers.clear()
        for _ in range(200):
            mailbox.expire_leases(dead_owners=list(Mailbox.objects.values_list("lease_owner", flat=True)))
            self.time_passes()
            self.nobody_decides_in_time()
            self.claim(begins=False)
            if not self.workers:
                break
            self.work_through(self.workers[0])
            self.workers.clear()
        self.everything_is_at_rest()

    def work_through(self, worker: Worker) -> None:
        """As the executor does."""
        while worker in self.workers:
            due_in_s = self.send_of(worker, "")
            self.begin_of(worker, due_in_s)
            if worker.turn:
                self.run_of(worker, Model(""), Hands(self.world, ""))
            if worker.state:
                self.commit_of(worker)

    def everything_is_at_rest(self) -> None:
        assert not ProcessedEvent.objects.exclude(status=EventStatus.DONE).exists()
        assert not Turn.objects.filter(status__in=UNFINISHED).exists()
        assert not Mailbox.objects.exclude(lease_owner="", due_at=None).exists()
        assert not Message.objects.filter(delivery__in=OPEN).exists()
        assert not Step.objects.filter(status="started", turn__status=TurnStatus.SUCCEEDED).exists()
        for event in ProcessedEvent.objects.filter(outcome=Outcome.REPLIED):
            replies = Message.objects.filter(turn_id=event.turn_id, direction=Direction.OUT)
            assert replies.count() == 1, "answered, and with one reply"
        self.rules_hold()


def proposals() -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(status=ReviewStatus.OPEN, kind__in=APPROVALS).order_by("pk")


async def _in_silence(turn: TurnInput, phase: str) -> None:
    return None


@pytest.fixture(autouse=True)
def _one_connection(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_threads", here)


@pytest.mark.chaos
def test_rules_of_the_engine_hold_whatever_happens() -> None:
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=1000 if LONG else 40,
            stateful_step_count=60 if LONG else 40,
            derandomize=not LONG,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def engine() -> Iterator[Engine]:
    """With one message that makes the model act, and no chance in it."""
    engine = Engine()
    engine.begin_the_world(burst_window_s=0.0, policy="reply")
    engine.deliver("ada", "act")
    yield engine
    engine.teardown()


def taken_over(engine: Engine) -> tuple[Worker, Worker]:
    """A worker that stands still right after it began, and the one that took its place."""
    engine.claim(begins=True)
    engine.lease_ends(Random(1), taken_over=True)
    stale, fresh = engine.workers
    return stale, fresh


def test_worker_that_lost_its_lease_runs_no_tool_that_another_ran(engine: Engine) -> None:
    stale, fresh = taken_over(engine)
    engine.run_of(fresh, Model(""), Hands(engine.world, ""))
    engine.run_of(stale, Model(""), Hands(engine.world, ""))
    assert engine.world.acted == {"ada-1": 1}
    engine.commit_of(fresh)
    assert ProcessedEvent.objects.get().outcome == Outcome.REPLIED


def test_worker_that_lost_its_lease_runs_no_tool_before_another_does(engine: Engine) -> None:
    stale, fresh = taken_over(engine)
    engine.run_of(stale, Model(""), Hands(engine.world, ""))
    engine.run_of(fresh, Model(""), Hands(engine.world, ""))
    assert engine.world.acted == {"ada-1": 1}


def test_worker_that_lost_its_lease_does_not_set_the_turn_aside(engine: Engine) -> None:
    """Nor give back the attempt of the one that goes on."""
    engine.channel.agent.outage_policy = "wait"
    engine.channel.agent.save()
    stale, fresh = taken_over(engine)
    engine.run_of(stale, Model("down"), Hands(engine.world, ""))
    assert engine.workers == [fresh]
    assert Turn.objects.get().attempts == 2


def test_worker_that_lost_its_lease_commits_nothing(engine: Engine) -> None:
    stale, fresh = taken_over(engine)
    engine.run_of(fresh, Model(""), Hands(engine.world, ""))
    engine.run_of(stale, Model("refuses"), Hands(engine.world, ""))
    engine.commit_of(stale)
    assert ProcessedEvent.objects.get().outcome is None
    engine.commit_of(fresh)
    assert ProcessedEvent.objects.get().outcome == Outcome.REPLIED
