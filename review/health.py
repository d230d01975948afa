"""What waits for people, as the dashboard says it."""

from django.contrib.auth.models import User
from django.db.models import Count, Min, QuerySet

from conversations.access import visible
from pipeline.desk import Waiting
from review.access import may_open_inbox
from review.models import ReviewItem, ReviewStatus


def waiting(user: User) -> Waiting | None:
    """Of the reader's tenants; None for whoever may not see the inbox."""
    return waiting_of(visible(ReviewItem.objects.all(), user)) if may_open_inbox(user) else None


def waiting_of(items: QuerySet[ReviewItem]) -> Waiting:
    found = items.filter(status=ReviewStatus.OPEN).order_by().aggregate(open=Count("pk"), due=Min("due_at"))
    return Waiting(open=found["open"], first_due_at=found["due"])
