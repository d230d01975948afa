"""The commit point: one transaction in which everything a turn decided becomes true, or nothing of it."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Exists
from django.utils import timezone
from psycopg.types.json import Jsonb

from audit.compiled import Together, Update, any_of, insert, param
from audit.operations import record_all
from conversations import sessions
from conversations.live import DASHBOARD, NOTIFY, conversation_topic, notified, relay
from conversations.models import (
    AuthorKind,
    Conversation,
    Delivery,
    Direction,
    EndReason,
    Message,
)
from pipeline.desk import Kind, Request, desk, said
from pipeline.engine import evidence, mailbox, outbox
from pipeline.engine.faults import FaultPoint, passing
from pipeline.engine.mailbox import Claim
from pipeline.engine.outbox import Senders
from pipeline.models import EventStatus, Outcome, ProcessedEvent, Step, StepStatus, Turn, TurnStatus
from pipeline.phases import state as phases
from pipeline.phases.state import Decision, InboundMessage, PhaseRecord, TurnState
from pipeline.policies.errors import Code

END = Update(
    lambda: ProcessedEvent.objects.filter(any_of("pk", "event_ids")),
    status=EventStatus.DONE,
    outcome=param("outcome"),
    outcome_code=param("outcome_code"),
    done_at=param("now"),
)
FINISH = Update(
    lambda: Turn.objects.filter(pk=param("turn_id")),
    status=param("status"),
    error_code=param("error_code"),
    error_detail=param("error_detail"),
    finished_at=param("now"),
    phase="",
    phases=param("phases"),
    prompt_tokens=param("prompt_tokens"),
    completion_tokens=param("completion_tokens"),
)
CLOSE = Together(END, FINISH, select=NOTIFY)
SPOKEN_IN = Update(
    lambda: Conversation.objects.filter(
        Exists(Turn.objects.filter(pk=param("turn_id"), status=TurnStatus.RUNNING)),
        pk=param("conversation_id"),
    ),
    last_message_at=param("now"),
)
"""Unless the turn has ended."""


@dataclass(frozen=True, slots=True)
class Committed:
    """`session_id` is None where the turn was committed before; `next_send`: what is to be done about its replies."""

    session_id: int | None
    next_send: outbox.NextSend


@transaction.atomic
def commit_and_mark(state: TurnState, claim: Claim, senders: Senders, *, now: datetime) -> Committed:
    """`commit`, and the first of the replies marked `sending` in the same transaction: it holds all that this needs."""
    session_id = commit(state, now=now)
    return Committed(session_id, outbox.mark_next(claim, senders, state.input.owner_epoch, now=now))


@transaction.atomic(savepoint=False)
def commit(state: TurnState, *, now: datetime) -> int | None:
    """Write all that the turn decided: transcript, session, outbox, outcome, result, evidence. Idempotent.

    The session's id; None where it was committed before.

    Raises `StaleError` when the lease is lost, or when the conversation changed hands while the turn ran.
    """
    mailbox.hold_for_owner(state.input.conversation_id, state.input.lease_epoch, state.input.owner_epoch)
    if not SPOKEN_IN.execute(
        conversation_id=state.input.conversation_id, turn_id=state.input.turn_id, now=now
    ):
        return None  # the database broke off after it had committed, and this is the second try
    session_id = _write_session(state, now)
    _write_transcript(state, session_id, now)
    passing(FaultPoint.COMMIT_INSIDE)
    decision = _decision(state)
    _close(state, decision, now)
    record_all(evidence.of_turn(state, session_id, decision), now=now)
    desk().open(_for_people(state, decision), now=now)
    return session_id


def _write_session(state: TurnState, now: datetime) -> int:
    plan, usage = state.session, state.usage
    assert plan is not None  # checked by the contract of response_finalize
    if plan.idle_session_id:
        sessions.close(session_id=plan.idle_session_id, reason=EndReason.IDLE, now=now)
    session_id = sessions.use(
        session_id=plan.session_id,
        conversation_id=state.input.conversation_id,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        now=now,
    )
    if plan.reset:
        sessions.close(session_id=session_id, reason=EndReason.RESET, now=now)
    return session_id


def _write_transcript(state: TurnState, session_id: int, now: datetime) -> None:
    common = {
        "conversation_id": state.input.conversation_id,
        "channel_id": state.input.channel_id,
        "session_id": session_id,
        "turn_id": state.input.turn_id,
    }
    heard = [
        Message(
            **common,
            created_at=message.received_at,
            direction=Direction.IN,
            author_kind=AuthorKind.CONTACT,
            kind=message.kind,
            text=message.text,
            media=message.media,
            provider_id=message.provider_id,
        )
        for message in _not_yet_said(state)
    ]
    replies = [
        Message(
            **common,
            created_at=now,
            direction=Direction.OUT,
            author_kind=AuthorKind.PERSON if draft.author_id else AuthorKind.AGENT,
            author_id=draft.author_id,
            text=draft.text,
            idempotency_key=draft.idempotency_key,
            delivery=Delivery.QUEUED,
            owner_epoch=state.input.owner_epoch,
        )
        for draft in state.drafts or ()
    ]
    insert([*heard, *replies])


def _not_yet_said(state: TurnState) -> list[InboundMessage]:
    """What a person sent back into the queue stands in the transcript since its first turn, unless it was shed."""
    requeued = [message.provider_id for message in state.input.messages if message.is_requeued]
    if not requeued:
        return list(state.input.messages)
    heard = Message.objects.filter(
        conversation_id=state.input.conversation_id, direction=Direction.IN, provider_id__in=requeued
    )
    known = set(heard.values_list("provider_id", flat=True))
    return [message for message in state.input.messages if message.provider_id not in known]


def _decision(state: TurnState) -> Decision:
    """A failed turn leaves no step `started`: if there was one, nobody knows whether it acted."""
    decision = state.decision
    assert decision is not None  # checked by the contract of response_finalize
    if not decision.failed:
        return decision
    begun = Step.objects.filter(turn_id=state.input.turn_id, status=StepStatus.STARTED)
    if not begun.update(status=StepStatus.UNKNOWN, error_code=Code.STEP_UNKNOWN):
        return decision
    return replace(decision, outcome=phases.Outcome.NEEDS_HUMAN, code=Code.STEP_UNKNOWN)


def _close(state: TurnState, decision: Decision, now: datetime) -> None:
    """The last message of a burst carries the outcome; those before it were answered together with it."""
    *merged, last = [message.event_id for message in state.input.messages]
    outcome = Outcome(decision.outcome)
    if merged:
        END.execute(
            event_ids=merged,
            outcome=Outcome.MERGED if outcome == Outcome.REPLIED else outcome,
            outcome_code=decision.code or "",
            now=now,
        )
    records = (*state.records, _this_phase(state, now))
    topics = conversation_topic(state.input.conversation_id), DASHBOARD
    CLOSE.execute(
        event_ids=[last],
        outcome=outcome,
        outcome_code=decision.code or "",
        turn_id=state.input.turn_id,
        status=TurnStatus.FAILED if decision.failed else TurnStatus.SUCCEEDED,
        error_code=decision.code or "",
        error_detail=decision.detail,
        phases=Jsonb([record._asdict() for record in records]),
        prompt_tokens=state.usage.prompt_tokens,
        completion_tokens=state.usage.completion_tokens,
        topics=notified(*topics),
        now=now,
    )
    relay(*topics)


def _this_phase(state: TurnState, now: datetime) -> PhaseRecord:
    """The phase that commits, up to here: what comes after it has no row to be told in."""
    return PhaseRecord(
        name="persistence",
        started_ms=round((now - state.input.now).total_seconds() * 1000),
        duration_ms=round((timezone.now() - now).total_seconds() * 1000, 1),
    )


def _for_people(state: TurnState, decision: Decision) -> list[Request]:
    """What the turn leaves to people: its failure, what its policy leaves to them, what the agent called them for."""
    left_by_policy = decision.outcome is phases.Outcome.NEEDS_HUMAN and decision.code is not Code.STEP_UNKNOWN
    if left_by_policy and decision.code:
        return [_request(state, Kind.POLICY, decision.code, decision.detail)]
    if decision.failed:
        return [_request(state, Kind.FAILED_TURN, decision.code or "", decision.detail)]
    if state.person_asked:
        return [_request(state, Kind.PERSON_ASKED, Code.PERSON_ASKED, state.person_asked)]
    return []


def _request(state: TurnState, kind: Kind, code: str, why: str) -> Request:
    """Failures of one kind are all answered alike: sent back into the queue, or let go."""
    turn = state.input
    return Request(
        kind=kind,
        conversation_id=turn.conversation_id,
        turn_id=turn.turn_id,
        context={"agent": turn.agent.name, "said": [said("user", message.text) for message in turn.messages]},
        why_code=code,
        why=why,
        policy_version=turn.policy_version,
        is_low_risk=kind is Kind.FAILED_TURN,
    )
