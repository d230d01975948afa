"""Circuit breakers in words: what each one guards, and what its state means for the next call."""

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.staff.show import ago
from pipeline.models import Breaker, BreakerState


def guarded(name: str) -> str:
    kind, _separator, what = name.partition(":")
    if kind == "model":
        return _("calls of the model %(name)s") % {"name": what}
    if kind == "send":
        return _("what the channel %(name)s sends") % {"name": what}
    return name


def state_in_words(breaker: Breaker, now: datetime) -> str:
    if breaker.state == BreakerState.CLOSED:
        return _closed(breaker)
    if breaker.is_tripped:
        return _("Nothing is called: a person tripped it, and a person has to close it.")
    if breaker.state == BreakerState.HALF_OPEN:
        return _(
            "One call tries now. If it succeeds, all go through again; until then the others are refused."
        )
    probe_at = breaker.next_probe_at
    if probe_at and probe_at > now:
        return _("Nothing is called. One call may try %(when)s.") % {"when": ago(probe_at, now)}
    return _("Nothing is called. Its rest is over: the next call that comes may try.")


def _closed(breaker: Breaker) -> str:
    if not breaker.failures:
        return _("Calls go through.")
    text = ngettext(
        "Calls go through, but the last %(count)d failed.",
        "Calls go through, but the last %(count)d failed.",
        breaker.failures,
    )
    return text % {"count": breaker.failures}
