"""How a turn begins, goes on, and takes in what came meanwhile."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from audit.compiled import Insert, Together, Update, any_of, param
from conversations.live import announce, conversation_topic
from conversations.models import Owner
from pipeline.controls import switchboard
from pipeline.engine import bursts, holds, mailbox
from pipeline.engine.bursts import WaitingEvent
from pipeline.engine.mailbox import Claim
from pipeline.engine.runner import MAX_ATTEMPTS
from pipeline.engine.turn_input import Situation, inbound_message, situation_of, turn_input
from pipeline.models import EventStatus, ProcessedEvent, Turn, TurnStatus
from pipeline.phases.state import TurnInput
from pipeline.policies.errors import Code, StaleError
from pipeline.policies.switches import PAUSED_S, Capability, Subject, SwitchAction, strictest

MAX_ABSORPTIONS = 3


TAKE = Update(
    lambda: ProcessedEvent.objects.filter(any_of("pk", "event_ids")),
    status=EventStatus.PROCESSING,
    turn_id=param("turn_id"),
)
OPEN = Together(
    Insert(
        Turn,
        id=param("turn_id"),
        conversation_id=param("conversation_id"),
        request_id=param("request_id"),
        policy_version=param("policy_version"),
        seed=param("seed"),
        lease_epoch=param("lease_epoch"),
        attempts=1,
        started_at=param("now"),
    ),
    TAKE,
)


@transaction.atomic
def begin(claim: Claim, *, now: datetime) -> TurnInput | None:
    """The conversation's unfinished turn, or a new one over its next burst; None when nothing waits for a worker.

    A turn that waits for a person starts over when the contact writes again. While a switch pauses its replies, the
    conversation looks again after `PAUSED_S`, or when the switch is lifted. Counts the attempt before it starts.
    Raises `StaleError` when the lease is lost.
    """
    mailbox.clear_due(claim.conversation_id, claim.lease_epoch)
    waiting = bursts.waiting(claim.conversation_id)
    if not waiting:
        return None
    situation = situation_of(claim.conversation_id)
    if _is_paused(situation, claim.conversation_id):
        mailbox.look_again(claim.conversation_id, in_s=PAUSED_S)
        return None
    unfinished = Turn.objects.get(pk=waiting[0].turn_id) if waiting[0].turn_id else None
    events = _events_of(unfinished, waiting, situation, now)
    if not events:
        return None
    turn = _resume(unfinished, claim) if unfinished else _open(events, situation.policy_version, claim, now)
    return turn_input(
        turn,
        events,
        situation,
        is_resumed=unfinished is not None,
        leaves_waiting=len(events) < len(waiting) or len(waiting) == bursts.MAX_BURST,
    )


def _events_of(
    unfinished: Turn | None, waiting: list[WaitingEvent], situation: Situation, now: datetime
) -> list[WaitingEvent]:
    """What the next turn, or the unfinished one, answers; none where that waits for a person."""
    if unfinished is None:
        return bursts.next_burst(waiting, together=situation.answers_bursts_together)
    taken = [event for event in waiting if event.turn_id]
    if unfinished.status == TurnStatus.SUSPENDED:
        return _start_over(unfinished, taken, situation, now)
    return taken


def _is_paused(situation: Situation, conversation_id: int) -> bool:
    """What a person owns is theirs to see: no switch over the agent's replies keeps it from them."""
    rules = switchboard.read_if(situation.is_switched)
    if situation.owner_kind != Owner.AGENT:
        return False
    subject = Subject(
        tenant_id=situation.tenant_id,
        channel_id=situation.channel_id,
        agent_id=situation.agent_id,
        conversation_id=conversation_id,
        contact_id=situation.contact_id,
    )
    rule = strictest(rules, subject, Capability.REPLIES)
    return rule is not None and rule.action is SwitchAction.PAUSE


def _start_over(
    turn: Turn, held: list[WaitingEvent], situation: Situation, now: datetime
) -> list[WaitingEvent]:
    """The contact wrote again while the turn waited for a person: it decides anew over all these events.

    None where nothing new came, or where that has to wait for its own turn: people then decide in its knowledge.
    """
    fresh = bursts.fresh(turn.conversation_id)
    joining = bursts.joining(turn.pk, len(held), fresh, situation.answers_bursts_together)
    if not joining:
        holds.propose_anew(turn.pk, fresh, now=now)
        return []
    _take(joining, turn.pk)
    holds.start_over(turn.pk, situation.policy_version, now=now)
    turn.refresh_from_db()
    return [*held, *joining]


def _open(events: list[WaitingEvent], policy_version: int, claim: Claim, now: datetime) -> Turn:
    """Not announced: most are over before a page could ask, the others are once a phase of theirs is slow."""
    turn = Turn(
        id=uuid.uuid4(),
        conversation_id=claim.conversation_id,
        request_id=events[-1].request_id,
        policy_version=policy_version,
        seed=random.getrandbits(62),
        lease_epoch=claim.lease_epoch,
        attempts=1,
        started_at=now,
    )
    OPEN.execute(
        turn_id=turn.pk,
        conversation_id=turn.conversation_id,
        request_id=turn.request_id,
        policy_version=turn.policy_version,
        seed=turn.seed,
        lease_epoch=turn.lease_epoch,
        now=turn.started_at,
        event_ids=[event.id for event in events],
    )
    return turn


def _take(events: Sequence[WaitingEvent], turn_id: UUID) -> None:
    TAKE.execute(event_ids=[event.id for event in events], turn_id=turn_id)


def _resume(turn: Turn, claim: Claim) -> Turn:
    """The last attempt is counted by `begin_last_attempt`: it may have to wait for its place."""
    is_counted = turn.attempts < MAX_ATTEMPTS - 1
    turn.lease_epoch = claim.lease_epoch
    Turn.objects.filter(pk=turn.pk).update(
        lease_epoch=turn.lease_epoch, attempts=turn.attempts + 1 if is_counted else turn.attempts
    )
    turn.attempts += 1
    announce(conversation_topic(turn.conversation_id))
    return turn


def begin_last_attempt(begun: TurnInput) -> None:
    """Count it. Raises `StaleError` when the lease is lost."""
    held = Turn.objects.filter(pk=begun.turn_id, lease_epoch=begun.lease_epoch)
    if not held.update(attempts=begun.attempt):
        raise StaleError(Code.TURN_LEASE_LOST, "Another worker went on with the turn while this one waited.")


@transaction.atomic
def absorb(running: TurnInput) -> TurnInput | None:
    """The same turn over what came in meanwhile as well, to be answered together; None where that is not to be.

    Once a tool has acted that must not act twice, or after `MAX_ABSORPTIONS`, a new message only queues.
    Raises `StaleError` when the lease is lost.
    """
    if running.generation >= MAX_ABSORPTIONS:
        return None
    mailbox.hold(running.conversation_id, running.lease_epoch)
    fresh = bursts.fresh(running.conversation_id)
    burst = bursts.joining(running.turn_id, len(running.messages), fresh, together=True)
    if not burst:
        return None
    _take(burst, running.turn_id)
    Turn.objects.filter(pk=running.turn_id).update(generation=F("generation") + 1)
    announce(conversation_topic(running.conversation_id))
    return replace(
        running,
        generation=running.generation + 1,
        messages=(*running.messages, *map(inbound_message, burst)),
    )
