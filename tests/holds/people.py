"""What reviewers do, in a test's words."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone

from review import decisions
from review.decisions import Verdict
from review.models import ReviewDecision, ReviewItem, ReviewStatus
from tests import factories

VOUCHER = '#tool offer_voucher {"order_id": "1234", "amount": 50}'


def open_items() -> list[ReviewItem]:
    return list(ReviewItem.objects.filter(status=ReviewStatus.OPEN).order_by("pk"))


def the_item() -> ReviewItem:
    (item,) = open_items()
    return item


def decide(item: ReviewItem, decision: ReviewDecision, *, by: User | None = None, **words: str) -> ReviewItem:
    """On the item as this person saw it."""
    verdict = Verdict(decision=decision, fingerprint=item.fingerprint, **words)
    return decisions.decide(item.pk, verdict, by=by or factories.user(), now=timezone.now())
