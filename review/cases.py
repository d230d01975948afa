"""Decided items as labelled cases: what was said, what was proposed, what a person made of it. See docs/review.md."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db.models import Max, Q, QuerySet

from audit.models import ActorKind
from audit.operations import Fact, record
from conversations.access import visible
from review.models import ReviewItem, ReviewStatus
from review.proposals import Difference, difference

CHUNK = 500
CONTENT_TYPE = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Decided from the first day on and up to the last one, both in UTC; empty means any."""

    since: date | None = None
    until: date | None = None
    kind: str = ""

    def as_filters(self) -> dict[str, str]:
        named = {"from": self.since, "to": self.until, "kind": self.kind}
        return {name: str(value) for name, value in named.items() if value}


def decided(wanted: Wanted, *, reader: User | None = None) -> QuerySet[ReviewItem]:
    """What people decided; with a `reader`, of that person's tenants. What expired is nobody's judgement."""
    narrowed = Q(status=ReviewStatus.DECIDED)
    if wanted.since:
        narrowed &= Q(ended_at__date__gte=wanted.since)
    if wanted.until:
        narrowed &= Q(ended_at__date__lte=wanted.until)
    if wanted.kind:
        narrowed &= Q(kind=wanted.kind)
    items = ReviewItem.objects.filter(narrowed)
    return visible(items, reader) if reader else items


def record_export(wanted: Wanted, *, by: str, kind: ActorKind = ActorKind.PERSON, now: datetime) -> None:
    """Cases hold what contacts said: reading them out is an act of its own."""
    filters = wanted.as_filters()
    fact = Fact(
        action="review_item.exported",
        object_type="review_item",
        object_id="cases",
        actor_kind=kind,
        actor=by,
        details={"filters": filters} if filters else {},
    )
    record(fact, now=now)


def lines(items: QuerySet[ReviewItem]) -> Iterator[str]:
    """Oldest item first, up to the newest one there is now, a chunk at a time."""
    last, newest = 0, _newest(items)
    while chunk := _chunk(items, last, newest):
        yield "".join(map(_line, chunk))
        last = chunk[-1].pk


async def stream(items: QuerySet[ReviewItem]) -> AsyncIterator[str]:
    """As `lines`, for whoever serves it."""
    remaining = lines(items)
    while text := await sync_to_async(lambda: next(remaining, ""))():
        yield text


def _newest(items: QuerySet[ReviewItem]) -> int:
    newest: int | None = items.order_by().aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def _chunk(items: QuerySet[ReviewItem], last: int, newest: int) -> list[ReviewItem]:
    rows = items.filter(pk__gt=last, pk__lte=newest).select_related("tenant", "decided_by").order_by("pk")
    return list(rows[:CHUNK])


def _line(item: ReviewItem) -> str:
    return json.dumps(case(item), ensure_ascii=False, separators=(",", ":")) + "\n"


def case(item: ReviewItem) -> dict[str, Any]:
    """`decided` is null where it is what was proposed, or nothing."""
    made = difference(item.proposal, item.decided) if item.decided else Difference()
    return {
        "id": item.pk,
        "tenant": item.tenant.slug,
        "kind": item.kind,
        "input": item.context.get("said", []),
        "proposal": item.proposal,
        "why": {"code": item.why_code, "text": item.why},
        "decision": item.decision,
        "decided": item.decided,
        "diff": _as_json(made),
        "reason": item.decision_reason,
        "decided_by": item.decided_by.get_username() if item.decided_by else None,
        "policy_version": item.policy_version,
        "times": {
            "created_at": item.created_at.isoformat(),
            "due_at": item.due_at.isoformat(),
            "decided_at": item.ended_at.isoformat() if item.ended_at else None,
        },
    }


def _as_json(made: Difference) -> list[Any] | None:
    """Of texts the pieces, each with its mark; of calls what changed, each with before and after."""
    if not made:
        return None
    changes = [[change.name, change.before, change.after] for change in made.arguments]
    return changes or [[piece.mark, piece.text] for piece in made.pieces]
