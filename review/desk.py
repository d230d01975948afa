"""The engine's desk: requests become review items. See `pipeline.desk.Desk`."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from audit.operations import Fact, record_all
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Conversation
from pipeline.desk import Request, Waiting
from review import expiry, health
from review.models import APPROVALS, ReviewItem, ReviewKind, ReviewStatus, Risk
from review.topics import REVIEWS


class ReviewDesk:
    def open(self, requests: Sequence[Request], *, now: datetime) -> int:
        new = _not_there_yet(requests) if requests else []
        if not new:
            return 0
        homes = _homes({request.conversation_id for request in new})
        items = [_item(request, *homes[request.conversation_id], now) for request in new]
        ReviewItem.objects.bulk_create(items, ignore_conflicts=True)
        _announce({request.conversation_id for request in new})
        return len(new)

    def propose(self, turn_id: UUID, requests: Sequence[Request], *, now: datetime) -> None:
        keys = [request.fingerprint for request in requests]
        of_turn = ReviewItem.objects.filter(turn_id=turn_id, kind__in=APPROVALS)
        _end(of_turn.exclude(key__in=keys), ReviewStatus.SUPERSEDED, now)
        self.open(requests, now=now)
        if successor := of_turn.filter(key__in=keys).order_by("pk").first():
            left = of_turn.filter(status=ReviewStatus.SUPERSEDED, superseded_by__isnull=True)
            left.update(superseded_by=successor)

    def settle(
        self, *, turn_ids: Collection[UUID] = (), message_ids: Collection[int] = (), now: datetime
    ) -> None:
        if turn_ids:
            of_turns = ReviewItem.objects.filter(turn_id__in=turn_ids).exclude(kind=ReviewKind.UNKNOWN_SEND)
            _end(of_turns, ReviewStatus.SETTLED, now)
        if message_ids:
            _end(ReviewItem.objects.filter(message_id__in=message_ids), ReviewStatus.SETTLED, now)

    def settle_conversation(self, conversation_id: int, *, now: datetime) -> None:
        items = ReviewItem.objects.filter(conversation_id=conversation_id)
        _end(items.exclude(kind=ReviewKind.UNKNOWN_SEND), ReviewStatus.SETTLED, now)

    def expire(self, *, now: datetime, limit: int) -> int:
        return expiry.expire(now=now, limit=limit)

    def waiting(self) -> Waiting:
        return health.waiting_of(ReviewItem.objects.all())


def _not_there_yet(requests: Sequence[Request]) -> list[Request]:
    """As far as can be known beforehand: two who lay down the same at once announce it twice."""
    keys = [request.fingerprint for request in requests]
    known = set(ReviewItem.objects.filter(key__in=keys).values_list("key", flat=True))
    return [request for request in requests if request.fingerprint not in known]


def _homes(conversation_ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """Of each conversation, its tenant and how many minutes people have there."""
    rows = Conversation.objects.filter(pk__in=conversation_ids)
    found = rows.values_list("pk", "tenant_id", "channel__agent__review_minutes")
    return {pk: (tenant_id, minutes) for pk, tenant_id, minutes in found}


def _item(request: Request, tenant_id: int, minutes: int, now: datetime) -> ReviewItem:
    return ReviewItem(
        key=request.fingerprint,
        kind=request.kind.value,
        risk=Risk.LOW if request.is_low_risk else Risk.HIGH,
        tenant_id=tenant_id,
        conversation_id=request.conversation_id,
        turn_id=request.turn_id,
        step_key=request.step_key,
        message_id=request.message_id,
        proposal=request.proposal,
        why_code=request.why_code,
        why=request.why,
        context=request.context,
        policy_version=request.policy_version,
        fingerprint=request.fingerprint,
        bulk_key=request.bulk_key,
        created_at=now,
        due_at=now + timedelta(minutes=minutes),
        on_expiry=request.on_expiry,
    )


def _end(items: QuerySet[ReviewItem], status: ReviewStatus, now: datetime) -> None:
    open_items = items.filter(status=ReviewStatus.OPEN)
    ending = list(open_items.only("tenant_id", "conversation_id", "turn_id", "policy_version").order_by("pk"))
    if open_items.update(status=status, ended_at=now):
        record_all([_ended(item, status) for item in ending], now=now)
        _announce({item.conversation_id for item in ending})


def _ended(item: ReviewItem, status: ReviewStatus) -> Fact:
    return Fact(
        action=f"review_item.{status}",
        object_type="review_item",
        object_id=item.pk,
        policy_version=item.policy_version or "",
        ids={
            "tenant_id": item.tenant_id,
            "conversation_id": item.conversation_id,
            "turn_id": item.turn_id or "",
        },
    )


def _announce(conversation_ids: Collection[int]) -> None:
    announce(REVIEWS, DASHBOARD, *map(conversation_topic, conversation_ids))
