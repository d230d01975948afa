"""What waits for people, as the dashboard says it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Count, Min
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.staff.show import Tone, ago
from conversations.access import visible
from pipeline.health.problem import Problem, Subject
from review.access import may_open_inbox
from review.models import ReviewItem, ReviewStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Open items of the reader's tenants. `first_due_at` is None where nothing is open."""

    open: int
    first_due_at: datetime | None


def waiting(user: User) -> Waiting | None:
    """None for whoever may not see the inbox."""
    if not may_open_inbox(user):
        return None
    items = visible(ReviewItem.objects.filter(status=ReviewStatus.OPEN), user).order_by()
    found = items.aggregate(open=Count("pk"), first_due_at=Min("due_at"))
    return Waiting(open=found["open"], first_due_at=found["first_due_at"])


def problems(found: Waiting | None, *, now: datetime) -> Iterator[Problem]:
    """One, where somebody waits for longer than was promised."""
    if found is None or found.first_due_at is None or found.first_due_at > now:
        return
    title = ngettext(
        "%(count)d item waits for a person; the oldest was due %(ago)s.",
        "%(count)d items wait for a person; the oldest was due %(ago)s.",
        found.open,
    )
    yield Problem(
        subject=Subject.REVIEWS,
        tone=Tone.WARNING,
        title=title % {"count": found.open, "ago": ago(found.first_due_at, now)},
        advice=_("Decide in the review inbox, the longest overdue first; each item says what it waits for."),
    )
