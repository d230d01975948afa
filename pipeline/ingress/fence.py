"""The fence: each inbound event becomes one row of the ledger, however often it is delivered."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.compiled import fetch
from audit.operations import Fact, record_all
from conversations.models import Channel
from pipeline.models import EventStatus, Outcome
from pipeline.transports.base import InboundEvent


@dataclass(frozen=True, slots=True)
class Copies:
    """The events of one POST that share a dedupe key. The first stands; `conflicts` of the `repeats` differ from it.

    `differing` is the first of those.
    """

    first: InboundEvent
    fingerprint: str
    repeats: int
    conflicts: int
    differing: InboundEvent | None

    @classmethod
    def of(cls, events: Sequence[InboundEvent]) -> "Copies":
        ours = fingerprint(events[0])
        conflicts = [event for event in events[1:] if fingerprint(event) != ours]
        return cls(events[0], ours, len(events) - 1, len(conflicts), conflicts[0] if conflicts else None)

    def payload(self) -> dict[str, Any]:
        """What goes on record: the first, and beside it the content that conflicts with it."""
        if self.differing is None:
            return self.first.payload
        return {**self.first.payload, "conflicting": self.differing.payload["raw"]}

    def fingerprint_against(self, stored: str) -> str | None:
        """That of the first content which differs from what is on record; None where none does."""
        if self.fingerprint != stored:
            return self.fingerprint
        return fingerprint(self.differing) if self.differing else None


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it goes on the ledger: waiting, or with the outcome that ends it at the door."""

    copies: Copies
    conversation_id: int | None
    outcome: Outcome | None = None
    code: str = ""


def by_key(events: Sequence[InboundEvent]) -> dict[str, Copies]:
    copies: dict[str, list[InboundEvent]] = {}
    for event in events:
        copies.setdefault(event.dedupe_key, []).append(event)
    return {key: Copies.of(same) for key, same in copies.items()}


def insert(channel: Channel, rows: Sequence[Row], *, request_id: str, now: datetime) -> set[str]:
    """Insert what is new and count what is not, in the caller's transaction; the keys that were new."""
    if not rows:
        return set()
    columns = [list(column) for column in zip(*(_values(row, now) for row in rows), strict=True)]
    parameters: list[Any] = [channel.tenant_id, channel.pk, request_id, now, *columns]
    known = fetch(INSERT, parameters)
    copies = {row.copies.first.dedupe_key: row.copies for row in rows}
    conflicts = [
        _conflict(event_id, key, channel, theirs)
        for event_id, key, stored, _ in known
        if (theirs := copies[key].fingerprint_against(stored))
    ]
    record_all(conflicts, now=now)
    return {key for _, key, _, is_new in known if is_new}


INSERT = """
INSERT INTO pipeline_processedevent AS known (
    tenant_id, channel_id, request_id, received_at, requeues,
    conversation_id, dedupe_key, fingerprint, kind, payload, platform_at,
    status, outcome, outcome_code, done_at, duplicates, conflicts
)
SELECT %s, %s, %s, %s, 0, event.*
FROM unnest(
    %s::bigint[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::timestamptz[],
    %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::int[], %s::int[]
) AS event
ON CONFLICT (channel_id, dedupe_key) DO UPDATE SET
    duplicates = known.duplicates + 1 + excluded.duplicates,
    conflicts = known.conflicts + (known.fingerprint <> excluded.fingerprint)::int + excluded.conflicts,
    payload = CASE
        WHEN known.payload = '{}' OR known.payload ? 'conflicting' THEN known.payload
        WHEN known.fingerprint <> excluded.fingerprint
            THEN known.payload || jsonb_build_object('conflicting', excluded.payload -> 'raw')
        WHEN excluded.payload ? 'conflicting'
            THEN known.payload || jsonb_build_object('conflicting', excluded.payload -> 'conflicting')
        ELSE known.payload
    END
RETURNING id, dedupe_key, fingerprint, xmax = 0
"""
"""`xmax = 0` holds for a row that this statement inserted, not for one it found.

The first content that conflicts is kept in the payload, and goes with it when its time is over: no entry of the audit
trail ever does.
"""


def _values(row: Row, now: datetime) -> tuple[object, ...]:
    """In the order of the statement's columns."""
    event = row.copies.first
    return (
        row.conversation_id,
        event.dedupe_key,
        row.copies.fingerprint,
        event.kind,
        json.dumps(row.copies.payload()),
        event.platform_at,
        EventStatus.DONE if row.outcome else EventStatus.RECEIVED,
        row.outcome,
        row.code,
        now if row.outcome else None,
        row.copies.repeats,
        row.copies.conflicts,
    )


def fingerprint(event: InboundEvent) -> str:
    """SHA-256 of the event as the platform sent it, whatever the order of its fields."""
    canonical = json.dumps(event.payload["raw"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _conflict(event_id: int, dedupe_key: str, channel: Channel, theirs: str) -> Fact:
    return Fact(
        action="event.conflict",
        object_type="event",
        object_id=event_id,
        reason="Delivered again under the same key with different content; the first content stands.",
        details={"channel": channel.slug, "fingerprint": theirs},
        ids={"event_id": event_id, "dedupe_key": dedupe_key, "tenant_id": channel.tenant_id},
    )
