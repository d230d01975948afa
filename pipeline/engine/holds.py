"""Turns that wait for a person. Nothing of them lives in a worker: a step of kind `review` holds what was proposed, and
what was decided; the turn goes on from its journal.

running ──suspend──▶ suspended ──rule (of the last proposal), start_over, let_go──▶ running
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from audit.operations import Fact, record
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Conversation
from pipeline.cleaning import storable
from pipeline.desk import Kind, Request, desk, said
from pipeline.engine import bursts, mailbox
from pipeline.engine.broker import enqueue_drain
from pipeline.engine.bursts import WaitingEvent
from pipeline.models import EventStatus, ProcessedEvent, Step, StepKind, StepStatus, Turn, TurnStatus
from pipeline.phases.state import TurnState
from pipeline.policies.errors import Code
from pipeline.ports import Json, Proposal, ProposalKind, Ruling, Verdict

CONTEXT_LINES = 12
"""How much of what was said before lies beside a proposal."""
KINDS = {ProposalKind.TOOL: Kind.TOOL_APPROVAL, ProposalKind.REPLY: Kind.REPLY_APPROVAL}


@transaction.atomic
def suspend(state: TurnState, proposals: Sequence[Proposal], *, now: datetime) -> None:
    """Propose, and set the turn aside without counting the attempt. Idempotent.

    Raises `StaleError` when the lease is lost, or when the conversation changed hands meanwhile.
    """
    turn_input = state.input
    mailbox.hold_for_owner(turn_input.conversation_id, turn_input.lease_epoch, turn_input.owner_epoch)
    running = Turn.objects.filter(pk=turn_input.turn_id, status=TurnStatus.RUNNING)
    if not running.update(
        status=TurnStatus.SUSPENDED,
        attempts=Greatest(F("attempts") - 1, 0),
        phase="",
        phases=[record._asdict() for record in state.records],
    ):
        return  # the database broke off after it had committed, and this is the second try
    ProcessedEvent.objects.filter(turn_id=turn_input.turn_id).update(status=EventStatus.HELD)
    _write_steps(state, proposals, now)
    _propose(turn_input.turn_id, now)
    _record(turn_input.turn_id, "turn.suspended", proposals[0].why_code, now)
    announce(conversation_topic(turn_input.conversation_id), DASHBOARD)


def _write_steps(state: TurnState, proposals: Sequence[Proposal], now: datetime) -> None:
    """Whatever the desk needs to know is on the step, so that it can be proposed anew without the turn's input."""
    turn_id = state.input.turn_id
    messages = [message.dedupe_key for message in state.input.messages]
    basis = {"messages": messages, "said": _said(state), "newer": _newer(state)}
    Step.objects.bulk_create(
        [
            Step(
                turn_id=turn_id,
                key=proposal.key,
                kind=StepKind.REVIEW,
                name=proposal.content.get("tool", proposal.kind),
                idempotency_key=uuid5(turn_id, proposal.key),
                is_idempotent=True,
                request=storable(asdict(proposal) | basis),
                status=StepStatus.STARTED,
                started_at=now,
            )
            for proposal in proposals
        ]
    )


def _newer(state: TurnState) -> dict[str, str]:
    """What waits behind the turn for a turn of its own. What it still takes in starts it over instead: none of that."""
    turn = state.input
    waiting = bursts.fresh(turn.conversation_id)
    if bursts.joining(turn.turn_id, len(turn.messages), waiting, turn.agent.answers_bursts_together):
        mailbox.wake([turn.conversation_id])
        return {}
    return _texts(waiting)


def _texts(events: Sequence[WaitingEvent]) -> dict[str, str]:
    return {event.dedupe_key: _text(event) for event in events}


def _said(state: TurnState) -> list[Json]:
    before = [said(line.role, line.content) for line in state.input.history[-CONTEXT_LINES:]]
    return [*before, *(said("user", message.text or f"[{message.kind}]") for message in state.input.messages)]


def _propose(turn_id: UUID, now: datetime) -> None:
    """What the turn's open review steps ask, on the desk."""
    turn = Turn.objects.select_related("conversation__channel__agent").get(pk=turn_id)
    steps = _open_steps(turn_id).order_by("pk")
    desk().propose(turn_id, [_request(turn, step) for step in steps], now=now)


def _request(turn: Turn, step: Step) -> Request:
    asked, agent = step.request, turn.conversation.channel.agent
    return Request(
        kind=KINDS[ProposalKind(asked["kind"])],
        conversation_id=turn.conversation_id,
        turn_id=turn.pk,
        step_key=step.key,
        proposal=asked["content"],
        context={"agent": agent.name, "said": asked["said"], "newer": list(asked["newer"].values())},
        why_code=asked["why_code"],
        why=asked["why"],
        policy_version=turn.policy_version,
        basis=[turn.policy_version, *asked["messages"], *asked["newer"]],
        is_low_risk=asked["is_low_risk"],
        on_expiry=agent.review_default,
    )


def _text(event: WaitingEvent) -> str:
    return str(event.payload["text"] or f"[{event.payload['type']}]")


def lock(conversation_id: int) -> None:
    """Keep the contact's next message and every worker from coming between. In the caller's transaction."""
    Conversation.objects.select_for_update(no_key=True).only("pk").get(pk=conversation_id)
    mailbox.lock(conversation_id)


def has_news(turn_id: UUID, key: str) -> bool:
    """Whether the contact wrote something that the proposal does not know. Under `lock`, so that it stays true."""
    step = Step.objects.select_related("turn").get(turn_id=turn_id, key=key)
    waiting = ProcessedEvent.objects.filter(
        conversation_id=step.turn.conversation_id, status=EventStatus.RECEIVED
    )
    return waiting.exclude(dedupe_key__in=step.request["newer"]).exists()


def rule(turn_id: UUID, key: str, ruling: Ruling, *, now: datetime) -> bool:
    """Write down what was decided; with the last proposal decided, the turn goes on. False if it asks this no more.

    An answer of the person's own takes the place of all that is proposed. In the caller's transaction, under `lock`.
    """
    open_steps = _open_steps(turn_id)
    decided = open_steps.filter(key=key)
    if not decided.update(status=StepStatus.SUCCEEDED, response=asdict(ruling), finished_at=now):
        return False
    if ruling.verdict is Verdict.ANSWER:
        _close(turn_id, now)
    if not open_steps.exists():
        _go_on(turn_id)
    return True


def start_over(turn_id: UUID, policy_version: int, *, now: datetime) -> None:
    """The turn decides anew, over all its messages and under this configuration; what it proposed holds no longer.

    Where a tool has acted that must not act twice it cannot: it then proposes the same under the new configuration.
    In the caller's transaction, under `lock` or a lease.
    """
    turn = Turn.objects.filter(pk=turn_id)
    if bursts.has_acted(turn_id):
        turn.update(policy_version=policy_version)
        _propose(turn_id, now)
        return
    _close(turn_id, now)
    turn.update(policy_version=policy_version, generation=F("generation") + 1)
    _record(turn_id, "turn.started_over", Code.REVIEW_SUPERSEDED, now)
    _go_on(turn_id)


def propose_anew(turn_id: UUID, newer: Sequence[WaitingEvent], *, now: datetime) -> None:
    """The contact wrote again, and that cannot be answered with it: people decide in the knowledge of it. Idempotent.

    In the caller's transaction, under a lease.
    """
    for step in _open_steps(turn_id):
        step.request["newer"] = _texts(newer)
        step.save(update_fields=["request"])
    _propose(turn_id, now)


def let_go(conversation_id: int, *, now: datetime) -> None:
    """The conversation changed hands: what was proposed for it is asked no more, and its turn ends as of now.

    In the caller's transaction. Idempotent.
    """
    lock(conversation_id)
    for turn in Turn.objects.filter(conversation_id=conversation_id, status=TurnStatus.SUSPENDED):
        _close(turn.pk, now)
        _go_on(turn.pk)
    desk().settle_conversation(conversation_id, now=now)


def _open_steps(turn_id: UUID) -> QuerySet[Step]:
    return Step.objects.filter(
        turn_id=turn_id,
        turn__status=TurnStatus.SUSPENDED,
        kind=StepKind.REVIEW,
        status=StepStatus.STARTED,
    )


def _close(turn_id: UUID, now: datetime) -> None:
    """What is still proposed is asked no more."""
    _open_steps(turn_id).update(
        status=StepStatus.FAILED,
        finished_at=now,
        error_code=Code.REVIEW_SUPERSEDED,
        error_detail="What it rested on changed before anybody decided.",
    )
    desk().propose(turn_id, (), now=now)


def _go_on(turn_id: UUID) -> None:
    Turn.objects.filter(pk=turn_id).update(status=TurnStatus.RUNNING)
    ProcessedEvent.objects.filter(turn_id=turn_id, status=EventStatus.HELD).update(
        status=EventStatus.PROCESSING
    )
    conversation_id = Turn.objects.values_list("conversation_id", flat=True).get(pk=turn_id)
    mailbox.wake([conversation_id])
    enqueue_drain()
    announce(conversation_topic(conversation_id), DASHBOARD)


def _record(turn_id: UUID, action: str, reason: str, now: datetime) -> None:
    rows = Turn.objects.select_related("conversation").only("policy_version", "conversation__tenant_id")
    turn = rows.get(pk=turn_id)
    fact = Fact(
        action=action,
        object_type="turn",
        object_id=turn_id,
        reason=reason,
        policy_version=turn.policy_version,
        ids={
            "turn_id": turn_id,
            "tenant_id": turn.conversation.tenant_id,
            "conversation_id": turn.conversation_id,
        },
    )
    record(fact, now=now)
