"""What nobody decided in time is decided as its agent's default says."""

from datetime import datetime

from django.db import transaction

from audit.operations import Fact, record
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import ExpiryDecision
from pipeline.engine import holds
from pipeline.ports import Ruling, Verdict
from review.models import ReviewDecision, ReviewItem, ReviewStatus
from review.topics import REVIEWS

DEFAULTS = {
    ExpiryDecision.DENY: (ReviewDecision.REJECT, Verdict.REJECT),
    ExpiryDecision.APPROVE: (ReviewDecision.APPROVE, Verdict.APPROVE),
}
NOBODY = "Nobody of the team decided in time."


def expire(*, now: datetime, limit: int) -> int:
    """Longest overdue first, a transaction of its own each. Their number."""
    overdue = ReviewItem.objects.filter(status=ReviewStatus.OPEN, due_at__lte=now).exclude(on_expiry="")
    return sum(_expire(pk, now) for pk in overdue.order_by("due_at").values_list("pk", flat=True)[:limit])


@transaction.atomic
def _expire(item_id: int, now: datetime) -> bool:
    """False where somebody, or the contact's next message, came first."""
    conversation_id = ReviewItem.objects.values_list("conversation_id", flat=True).get(pk=item_id)
    holds.lock(conversation_id)
    item = ReviewItem.objects.select_for_update().get(pk=item_id)
    if item.status != ReviewStatus.OPEN or item.turn_id is None:
        return False
    if holds.has_news(item.turn_id, item.step_key):
        return False
    decision, verdict = DEFAULTS[ExpiryDecision(item.on_expiry)]
    item.status, item.ended_at = ReviewStatus.EXPIRED, now
    item.decision, item.decision_reason = decision, NOBODY
    item.save()
    holds.rule(item.turn_id, item.step_key, Ruling(verdict=verdict, reason=NOBODY), now=now)
    fact = Fact(
        action="review_item.expired",
        object_type="review_item",
        object_id=item.pk,
        reason=decision,
        policy_version=item.policy_version,
        ids={
            "tenant_id": item.tenant_id,
            "conversation_id": item.conversation_id,
            "turn_id": item.turn_id,
        },
    )
    record(fact, now=now)
    announce(REVIEWS, DASHBOARD, conversation_topic(conversation_id))
    return True
