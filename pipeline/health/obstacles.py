"""What keeps the machine from doing its work as it should: each in words, with what to do."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.staff.show import Tone, ago, span
from pipeline.health.breakers import guarded, state_in_words
from pipeline.health.figures import Figures
from pipeline.health.problem import Problem, Subject
from pipeline.models import BreakerState, Outcome, SwitchStatus
from pipeline.queries import PausedChannel

HOUSEKEEPING_SILENCE = timedelta(minutes=10)
"""It runs every minute: after this long without a run something is wrong with it."""


def obstacles(figures: Figures) -> Iterator[Problem]:
    yield from _switches(figures)
    yield from _channels(figures)
    yield from _breakers(figures)
    yield from _overload(figures)
    yield from _tools(figures)
    yield from _housekeeping(figures)


def _switches(figures: Figures) -> Iterator[Problem]:
    switches = figures.switches or []
    active = [switch for switch in switches if switch.status == SwitchStatus.ACTIVE]
    if active:
        title = ngettext("%(count)d switch is in force.", "%(count)d switches are in force.", len(active))
        yield Problem(
            subject=Subject.SWITCHES,
            tone=Tone.WARNING,
            title=title % {"count": len(active)},
            advice=_("The strip on top says who set them and why. Lift what is needed no longer."),
            record=active[0].pk if len(active) == 1 else None,
        )
    if pending := len(switches) - len(active):
        title = ngettext(
            "%(count)d switch waits for a second person.",
            "%(count)d switches wait for a second person.",
            pending,
        )
        yield Problem(
            subject=Subject.APPROVALS,
            tone=Tone.WARNING,
            title=title % {"count": pending},
            advice=_("Nothing has changed yet. Read the reason, then approve or refuse."),
        )


def _channels(figures: Figures) -> Iterator[Problem]:
    for channel in figures.paused_channels or ():
        when = {"slug": channel.slug, "when": ago(channel.since, figures.now)}
        yield Problem(
            subject=Subject.CHANNELS,
            tone=Tone.DANGER,
            title=_("The channel %(slug)s does not send. It was paused %(when)s.") % when,
            advice=" ".join(
                part
                for part in (
                    _waiting(channel),
                    _why(channel.reason and _(channel.reason)),
                    _remedy(channel),
                )
                if part
            ),
            record=channel.pk,
        )


def _waiting(channel: PausedChannel) -> str:
    text = ngettext("%(count)d message waits for it.", "%(count)d messages wait for it.", channel.waiting)
    return text % {"count": channel.waiting}


def _remedy(channel: PausedChannel) -> str:
    if channel.ends_by_itself:
        return _("It goes on by itself once its platform reports that it works.")
    return _("Mend what is wrong, then resume it on its page.")


def _why(reason: str) -> str:
    return _("Why: %(reason)s.") % {"reason": reason.rstrip(".")} if reason else ""


def _breakers(figures: Figures) -> Iterator[Problem]:
    for breaker in figures.breakers or ():
        if breaker.state == BreakerState.CLOSED or breaker.opened_at is None:
            continue
        words = {"name": breaker.name, "when": ago(breaker.opened_at, figures.now)}
        guards = _("It guards %(guarded)s.") % {"guarded": guarded(breaker.name)}
        yield Problem(
            subject=Subject.BREAKERS,
            tone=Tone.WARNING,
            title=_("The breaker %(name)s is open. It opened %(when)s.") % words,
            advice=" ".join(
                part for part in (guards, _why(breaker.reason), state_in_words(breaker, figures.now)) if part
            ),
            record=breaker.pk,
        )


def _overload(figures: Figures) -> Iterator[Problem]:
    outcomes = figures.outcomes or {}
    if shed := outcomes.get(Outcome.SHED, 0):
        title = ngettext(
            "%(count)d message was shed today: more came in than could be answered.",
            "%(count)d messages were shed today: more came in than could be answered.",
            shed,
        )
        yield Problem(
            subject=Subject.SHED,
            tone=Tone.WARNING,
            title=title % {"count": shed},
            advice=_("Add workers, raise the tenant's limits, or find out who floods. They can be requeued."),
        )
    if limited := outcomes.get(Outcome.RATE_LIMITED, 0):
        title = ngettext(
            "%(count)d message today was over its contact's limit.",
            "%(count)d messages today were over their contact's limit.",
            limited,
        )
        yield Problem(
            subject=Subject.RATE_LIMITED,
            tone=Tone.WARNING,
            title=title % {"count": limited},
            advice=_(
                "Look who wrote so much. If they matter, requeue them, or raise the agent's rate limit."
            ),
        )


def _tools(figures: Figures) -> Iterator[Problem]:
    number = sum(worker.left_behind for worker in figures.workers or ())
    if number:
        title = ngettext(
            "%(count)d tool ran past its deadline and still runs.",
            "%(count)d tools ran past their deadline and still run.",
            number,
        )
        yield Problem(
            subject=Subject.TOOLS,
            tone=Tone.WARNING,
            title=title % {"count": number},
            advice=_("Each holds a thread of its worker. If the number grows, mend the tool and restart it."),
        )


def _housekeeping(figures: Figures) -> Iterator[Problem]:
    """Not running at all is only told while there is a worker that should do it."""
    run = figures.housekeeping
    if not figures.workers or not figures.scope.housekeeping:
        return
    last = run.started_at if run else min(worker.started_at for worker in figures.workers)
    silence = figures.now - last
    if silence > HOUSEKEEPING_SILENCE:
        yield Problem(
            subject=Subject.HOUSEKEEPING,
            tone=Tone.WARNING,
            title=_("Housekeeping has not run for %(span)s.") % {"span": span(silence)},
            advice=_("Old sessions stay open and unknown sends unsettled. Read the log of the workers."),
        )
    elif run and run.error:
        yield Problem(
            subject=Subject.HOUSEKEEPING,
            tone=Tone.WARNING,
            title=_("Housekeeping failed: %(error)s") % {"error": run.error.splitlines()[0]},
            advice=_("It is tried again every minute; what fails each time is for a developer."),
        )
