"""What the inbox shows of an item beside its fields."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.translation import gettext, gettext_lazy, ngettext

from audit.staff.show import Text
from pipeline.error_help import HELP
from review.access import may_open_inbox
from review.models import ReviewDecision
from review.queries.inbox import MOST_COUNTED, number_open

register = template.Library()

DAY_S = 24 * 3600
ACTS: dict[str, Text] = {
    ReviewDecision.APPROVE: gettext_lazy("Approve"),
    ReviewDecision.EDIT: gettext_lazy("Edit"),
    ReviewDecision.REJECT: gettext_lazy("Reject"),
    ReviewDecision.ANSWER: gettext_lazy("Answer yourself"),
    ReviewDecision.TAKE_OVER: gettext_lazy("Take over"),
    ReviewDecision.REQUEUE: gettext_lazy("Try again"),
    ReviewDecision.MARK_DELIVERED: gettext_lazy("It was delivered"),
    ReviewDecision.SEND_AGAIN: gettext_lazy("Send again"),
    ReviewDecision.DISMISS: gettext_lazy("Dismiss"),
}
KEYS = {
    ReviewDecision.APPROVE: "a",
    ReviewDecision.EDIT: "e",
    ReviewDecision.REJECT: "r",
    ReviewDecision.TAKE_OVER: "t",
}


@register.filter
def countdown(at: datetime, now: datetime) -> str:
    """How long until then, or since then: m:ss, h:mm:ss, days. `inbox.js` goes on counting in this form."""
    seconds = abs(int((at - now).total_seconds()))
    if seconds >= DAY_S:
        days = seconds // DAY_S
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


@register.filter
def in_words(code: str) -> str:
    """What an error or review code means."""
    known = HELP.get(code)
    return gettext(known.meaning) if known else code


@register.filter
def what_to_do(code: str) -> str:
    known = HELP.get(code)
    return gettext(known.person) if known else ""


@register.simple_tag(takes_context=True)
def reviews_open(context: dict[str, Any]) -> int | None:
    """How many items are open, for whoever sees the inbox; None for others."""
    user = context["request"].user
    return number_open(user) if may_open_inbox(user) else None


@register.filter
def up_to_limit(number: int) -> str:
    return str(number) if number < MOST_COUNTED else f"{MOST_COUNTED - 1}+"


@register.filter
def act_name(decision: str) -> Text:
    """What the button says that leads to this decision."""
    return ACTS[ReviewDecision(decision)]


@register.filter
def act_key(decision: str) -> str:
    """Empty for a decision that has no key of its own."""
    return KEYS.get(ReviewDecision(decision), "")
