"""The way of one message, told as a story."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.staff.show import Text, Tone
from audit.staff.story import Chapter
from conversations.models import AuthorKind, Delivery, Direction, Message

ENDINGS: dict[str, tuple[Tone, Text]] = {
    Delivery.QUEUED: (Tone.NEUTRAL, gettext_lazy("Waits in the outbox")),
    Delivery.SENDING: (Tone.INFO, gettext_lazy("Is being sent")),
    Delivery.UNKNOWN: (Tone.WARNING, gettext_lazy("Nobody knows whether it arrived")),
    Delivery.FAILED: (Tone.DANGER, gettext_lazy("Was not delivered")),
    Delivery.WITHDRAWN: (Tone.NEUTRAL, gettext_lazy("Was withdrawn before it was sent")),
}


def delivery_story(message: Message) -> list[Chapter]:
    if message.direction == Direction.IN:
        return [Chapter(at=message.created_at, title=_("Said by the contact"), tone=Tone.INFO)]
    if message.author_kind == AuthorKind.PERSON and message.author is None:
        return [_written_by_hand(message), *_arrived(message), *_ending(message)]
    return [_written(message), *_delivered(message), *_ending(message)]


def _written(message: Message) -> Chapter:
    by_agent = message.author_kind == AuthorKind.AGENT
    author = (
        _("Written by the agent") if by_agent else _("Written by %(person)s") % {"person": message.author}
    )
    return Chapter(at=message.created_at, title=author)


def _written_by_hand(message: Message) -> Chapter:
    return Chapter(at=message.sent_at or message.created_at, title=_("Written by hand on the phone itself"))


def _delivered(message: Message) -> Iterator[Chapter]:
    if message.sent_at:
        yield Chapter(
            at=message.sent_at, title=_("Accepted by the platform"), detail=_tries(message), tone=Tone.INFO
        )
    yield from _arrived(message)


def _arrived(message: Message) -> Iterator[Chapter]:
    if message.delivered_at:
        yield Chapter(at=message.delivered_at, title=_("Arrived on the contact's device"), tone=Tone.SUCCESS)
    if message.read_at:
        yield Chapter(at=message.read_at, title=_("Read by the contact"), tone=Tone.SUCCESS)


def _ending(message: Message) -> Iterator[Chapter]:
    if message.delivery in ENDINGS:
        tone, title = ENDINGS[message.delivery]
        yield Chapter(title=str(title), detail=_why(message), tone=tone)


def _why(message: Message) -> str:
    advice = ""
    if message.delivery == Delivery.UNKNOWN:
        advice = _("The platform's answer was lost.")
    return " ".join(part for part in (advice, _tries(message)) if part)


def _tries(message: Message) -> str:
    if not message.attempts:
        return ""
    text = ngettext("Tried %(count)d time.", "Tried %(count)d times.", message.attempts)
    return text % {"count": message.attempts}
