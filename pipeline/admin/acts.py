"""What staff do to the machine's records, in words. The domain calls are elsewhere; this names and explains them."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from audit.staff.acts import Act
from audit.staff.show import Tone
from conversations import channels
from conversations.models import Delivery
from pipeline import channels as sending
from pipeline import dead_letters
from pipeline.engine import breakers
from pipeline.models import BreakerState


def _requeue(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    return dead_letters.requeue(event_ids=ids, by=by, reason=reason, now=now)


def _mark_delivered(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    return dead_letters.mark_delivered(message_ids=ids, by=by, reason=reason, now=now)


def _send_again(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    return dead_letters.send_again(message_ids=ids, by=by, reason=reason, now=now)


def _trip(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    breakers.trip(name=ids[0], by=by, reason=reason, now=now)
    return 1


def _reset(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    breakers.reset(name=ids[0], by=by, reason=reason, now=now)
    return 1


def _pause(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    channels.pause(channel_id=ids[0], by=by, reason=reason, now=now)
    return 1


def _resume(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    sending.resume(channel_id=ids[0], by=by, reason=reason, now=now)
    return 1


def _to_requeue(number: int) -> str:
    text = ngettext(
        "%(count)d event goes back into the queue, and is answered as if it had just come.",
        "%(count)d events go back into the queue, and are answered as if they had just come.",
        number,
    )
    return text % {"count": number}


def _requeued(number: int) -> str:
    text = ngettext(
        "%(count)d event is back in the queue.", "%(count)d events are back in the queue.", number
    )
    return text % {"count": number}


def _to_mark(number: int) -> str:
    text = ngettext(
        "%(count)d answer is written down as delivered. Nothing is sent.",
        "%(count)d answers are written down as delivered. Nothing is sent.",
        number,
    )
    return text % {"count": number}


def _marked(number: int) -> str:
    text = ngettext(
        "%(count)d answer is marked as delivered.", "%(count)d answers are marked as delivered.", number
    )
    return text % {"count": number}


def _to_send(number: int) -> str:
    text = ngettext(
        "%(count)d answer is sent to its contact once more.",
        "%(count)d answers are sent to their contacts once more.",
        number,
    )
    return text % {"count": number}


def _sent(number: int) -> str:
    text = ngettext(
        "%(count)d answer is back in the outbox.", "%(count)d answers are back in the outbox.", number
    )
    return text % {"count": number}


REQUEUE = Act(
    name="requeue",
    title=_("Requeue"),
    icon="replay",
    possible=dead_letters.requeueable,
    refusal=_(
        "Only what failed, expired, was shed, rate limited, silenced, blocked or left to a person goes back, "
        "and only while its content is still kept."
    ),
    announcement=_to_requeue,
    done=_requeued,
    perform=_requeue,
)
MARK_DELIVERED = Act(
    name="mark-delivered",
    title=_("Mark as delivered"),
    icon="done_all",
    possible=lambda rows: rows.filter(delivery=Delivery.UNKNOWN),
    refusal=_("Only an answer whose fate is unknown can be marked: of the others the platform told us."),
    announcement=_to_mark,
    done=_marked,
    perform=_mark_delivered,
    warning=_(
        "Do this only if you know that it arrived: from the contact, or from the platform's own pages."
    ),
)
SEND_AGAIN = Act(
    name="send-again",
    title=_("Send again"),
    icon="forward_to_inbox",
    possible=lambda rows: rows.filter(delivery__in=[Delivery.UNKNOWN, Delivery.FAILED]),
    refusal=_("Only an answer that failed, or whose fate is unknown, can be sent again."),
    announcement=_to_send,
    done=_sent,
    perform=_send_again,
    warning=_("What is unknown may have arrived already: the contact may then read it twice."),
    tone=Tone.WARNING,
)
TRIP = Act(
    name="trip",
    title=_("Trip"),
    icon="power_off",
    possible=lambda rows: rows.exclude(is_tripped=True),
    refusal=_("It was tripped already, and stays open until a person closes it."),
    announcement=lambda _number: gettext(
        "Nothing more is called through this breaker until a person closes it."
    ),
    done=lambda _number: gettext("The breaker is open."),
    perform=_trip,
    warning=_(
        "A model's turns go down their agent's ladder at once; a channel's messages wait in the outbox."
    ),
    tone=Tone.DANGER,
    in_list=False,
)
CLOSE = Act(
    name="close",
    title=_("Close"),
    icon="power",
    possible=lambda rows: rows.exclude(state=BreakerState.CLOSED),
    refusal=_("It is closed already: calls go through."),
    announcement=lambda _number: gettext("Calls go through this breaker again, at once and all of them."),
    done=lambda _number: gettext("The breaker is closed."),
    perform=_reset,
    warning=_("If what it guards is still broken, it opens again after a few failures."),
    in_list=False,
)
PAUSE = Act(
    name="pause",
    title=_("Pause sending"),
    icon="pause_circle",
    possible=lambda rows: rows.filter(paused_at__isnull=True),
    refusal=_("It is paused already."),
    announcement=lambda _number: gettext(
        "This channel sends nothing until a person lets it send again. Messages still come in and are "
        "answered; the answers wait in the outbox."
    ),
    done=lambda _number: gettext("The channel is paused."),
    perform=_pause,
    tone=Tone.WARNING,
    in_list=False,
    right="pause",
)
RESUME = Act(
    name="resume",
    title=_("Resume sending"),
    icon="play_circle",
    possible=lambda rows: rows.filter(paused_at__isnull=False),
    refusal=_("It is not paused."),
    announcement=lambda _number: gettext(
        "This channel sends again, and what waits in its outbox goes out now."
    ),
    done=lambda _number: gettext("The channel sends again."),
    perform=_resume,
    in_list=False,
    right="pause",
)
