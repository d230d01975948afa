"""What is wrong, in words, worst first: for somebody who is woken at night and has never seen this page."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.staff.show import Tone, ago, span
from pipeline.health.figures import Figures
from pipeline.health.obstacles import obstacles
from pipeline.health.problem import Problem, Subject

LONGEST_WAIT = timedelta(seconds=60)
"""A message that waits longer than this is late: the service is then not ready."""


def problems(figures: Figures) -> list[Problem]:
    found = [
        *_workers(figures),
        *_waiting(figures),
        *obstacles(figures),
        *_events(figures),
        *_sends(figures),
        *_reviews(figures),
    ]
    return sorted(found, key=lambda problem: problem.tone != Tone.DANGER)


def _workers(figures: Figures) -> Iterator[Problem]:
    if figures.workers is None or figures.workers:
        return
    waiting = figures.queue.pending if figures.queue else 0
    title = ngettext(
        "No worker is alive: %(count)d message waits.",
        "No worker is alive: %(count)d messages wait.",
        waiting,
    )
    yield Problem(
        subject=Subject.WORKERS,
        tone=Tone.DANGER,
        title=title % {"count": waiting} if waiting else _("No worker is alive: the next message will wait."),
        advice=_("Nothing is lost. Start one (python manage.py worker), and read its log if it stops again."),
    )


def _waiting(figures: Figures) -> Iterator[Problem]:
    age = figures.queue.oldest_age(figures.now) if figures.queue else timedelta(0)
    if age > LONGEST_WAIT:
        yield Problem(
            subject=Subject.WAITING,
            tone=Tone.DANGER,
            title=_("The oldest message has waited for %(span)s.") % {"span": span(age)},
            advice=_(
                "Look at what the oldest event's turn is doing: a slow model, a stuck tool, or too few workers."
            ),
        )


def _events(figures: Figures) -> Iterator[Problem]:
    number = figures.failed or 0
    if number:
        title = ngettext(
            "%(count)d message came to nothing in the last 24 hours.",
            "%(count)d messages came to nothing in the last 24 hours.",
            number,
        )
        yield Problem(
            subject=Subject.FAILED_EVENTS,
            tone=Tone.WARNING,
            title=title % {"count": number},
            advice=_("Each one names its turn and the reason; the contact got the fallback reply, or none."),
        )


def _sends(figures: Figures) -> Iterator[Problem]:
    if figures.outbox and figures.outbox.held:
        title = ngettext(
            "Nobody knows whether %(count)d answer arrived.",
            "Nobody knows whether %(count)d answers arrived.",
            figures.outbox.held,
        )
        yield Problem(
            subject=Subject.UNKNOWN_SENDS,
            tone=Tone.WARNING,
            title=title % {"count": figures.outbox.held},
            advice=_(
                "The platform did not tell in time, and nothing is sent twice blindly: mark each one as delivered, or "
                "send it again."
            ),
        )
    if figures.outbox and figures.outbox.failed:
        title = ngettext(
            "%(count)d answer was not delivered in the last 24 hours.",
            "%(count)d answers were not delivered in the last 24 hours.",
            figures.outbox.failed,
        )
        yield Problem(
            subject=Subject.FAILED_SENDS,
            tone=Tone.WARNING,
            title=title % {"count": figures.outbox.failed},
            advice=_(
                "Each one names the platform's reason: a wrong number, a closed window, refused credentials."
            ),
        )


def _reviews(figures: Figures) -> Iterator[Problem]:
    """One, where somebody waits for longer than was promised."""
    found = figures.reviews
    if found is None or found.first_due_at is None or found.first_due_at > figures.now:
        return
    title = ngettext(
        "%(count)d item waits for a person; the oldest was due %(ago)s.",
        "%(count)d items wait for a person; the oldest was due %(ago)s.",
        found.open,
    )
    yield Problem(
        subject=Subject.REVIEWS,
        tone=Tone.WARNING,
        title=title % {"count": found.open, "ago": ago(found.first_due_at, figures.now)},
        advice=_("Decide in the review inbox, the longest overdue first; each item says what it waits for."),
    )
