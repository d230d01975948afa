"""A conversation under a worker's lease, with a turn begun: what the engine's parts are handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.utils import timezone

from pipeline.engine import mailbox, turns
from pipeline.engine.mailbox import Claim
from pipeline.models import Mailbox, ProcessedEvent
from pipeline.phases.state import Decision, Draft, Outcome, SessionPlan, TurnInput, TurnState
from tests import factories


@dataclass(frozen=True)
class Flight:
    event: ProcessedEvent
    claim: Claim
    turn: TurnInput

    def taken_over(self) -> Flight:
        """By another worker, after this one's lease ran out."""
        mailbox.expire_leases(dead_owners=[self.claim.lease_owner])
        return take_off(self.event, owner="another worker")

    def decided(self, *replies: str) -> TurnState:
        """What the phases hand to the commit point."""
        drafts = tuple(Draft(uuid4(), text) for text in replies)
        return TurnState(
            input=self.turn,
            session=SessionPlan(self.turn.session.id if self.turn.session else None),
            decision=Decision(Outcome.REPLIED),
            replies=replies,
            drafts=drafts,
        )


def begun(**fields: Any) -> Flight:
    """A message came in, a worker leased its conversation and began its turn."""
    payload = {
        "type": "text",
        "text": "Where is my order?",
        "media": {},
        "provider_id": "wamid.in",
        "raw": {},
    }
    event = factories.event(**{"payload": payload} | fields)
    assert event.conversation is not None
    Mailbox.objects.create(conversation=event.conversation, tenant=event.tenant, due_at=timezone.now())
    return take_off(event, owner="a worker")


def take_off(event: ProcessedEvent, *, owner: str) -> Flight:
    (claim,) = mailbox.claim(owner=owner, limit=1)
    turn = turns.begin(claim, now=timezone.now())
    assert turn is not None
    return Flight(event, claim, turn)
