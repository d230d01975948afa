"""Where the engine lays what people have to decide. The desk belongs to an app above this one: a setting names it."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from pipeline.ports import Json


class Kind(StrEnum):
    TOOL_APPROVAL = "tool_approval"
    REPLY_APPROVAL = "reply_approval"
    FAILED_TURN = "failed_turn"
    UNKNOWN_SEND = "unknown_send"
    PERSON_ASKED = "person_asked"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`basis` is what the proposal rests on: when that is another, the proposal holds no longer.

    `on_expiry`: what happens by itself when nobody decided in time; empty where nothing does.
    """

    kind: Kind
    conversation_id: int
    turn_id: UUID | None = None
    step_key: str = ""
    message_id: int | None = None
    proposal: Json = field(default_factory=dict)
    context: Json = field(default_factory=dict)
    why_code: str
    why: str = ""
    policy_version: int = 0
    basis: Sequence[object] = ()
    is_low_risk: bool = False
    on_expiry: str = ""

    @property
    def fingerprint(self) -> str:
        return _digest(
            self.kind, str(self.turn_id or ""), self.step_key, self.message_id, self.proposal, *self.basis
        )

    @property
    def bulk_key(self) -> str:
        """Equal for proposals of which one is as good as another; empty where each is for itself."""
        return _digest(self.kind, self.why_code, self.proposal) if self.is_low_risk else ""


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for people. `first_due_at` is None where nothing is open."""

    open: int
    first_due_at: datetime | None

    def overdue(self, now: datetime) -> timedelta:
        """For how long the oldest has been due; zero where none is."""
        return max(now - self.first_due_at, timedelta(0)) if self.first_due_at else timedelta(0)


class Desk(Protocol):
    """All in the caller's transaction, all idempotent."""

    def open(self, requests: Sequence[Request], *, now: datetime) -> int:
        """Lay them down; one with a known fingerprint lies there already. How many did not."""

    def propose(self, turn_id: UUID, requests: Sequence[Request], *, now: datetime) -> None:
        """These are what the turn waits for now: others that it waited for before are superseded."""

    def settle(
        self, *, turn_ids: Collection[UUID] = (), message_ids: Collection[int] = (), now: datetime
    ) -> None:
        """Nobody has to decide on these any more."""

    def settle_conversation(self, conversation_id: int, *, now: datetime) -> None:
        """A person deals with the conversation now: only sends whose fate is unknown still have to be decided."""

    def expire(self, *, now: datetime, limit: int) -> int:
        """Decide what nobody decided in time as its agent's default says; their number. A transaction for each."""

    def waiting(self) -> Waiting:
        """Of all tenants."""


@cache
def desk() -> Desk:
    return cast("Desk", import_string(settings.REVIEW_DESK)())


def said(role: str, text: str) -> dict[str, Any]:
    """A line of a request's context."""
    return {"role": role, "text": text}
