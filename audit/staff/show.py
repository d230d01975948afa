"""How a value looks on a staff page: a state with colour and word, a time for people, JSON to read."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Text = str | _StrPromise
else:
    Text = str
"""A text, translated now or when it is shown."""
Column = Callable[[Any, Any], SafeString]
EMPTY = SafeString('<span class="zupa-empty">–</span>')
NEARLY_NOW = timedelta(seconds=1)
A_WEEK = timedelta(days=7)


class Tone(StrEnum):
    """A badge always carries its word too: colour alone tells nothing to many."""

    SUCCESS = "success"
    WARNING = "warning"
    DANGER = "danger"
    INFO = "info"
    NEUTRAL = "neutral"


Tones = Mapping[str, Tone]
"""How each value of a field with choices looks."""


def badge(text: Text, tone: Tone | str = Tone.NEUTRAL) -> SafeString:
    return format_html('<span class="zupa-badge zupa-{}">{}</span>', tone, text)


def badge_of(record: Model, field: str, tones: Tones) -> SafeString:
    """The badge of a field with choices; a dash where it is empty."""
    value = getattr(record, field)
    if not value:
        return EMPTY
    word = getattr(record, f"get_{field}_display")()
    return badge(word, tones.get(value, Tone.NEUTRAL))


def ago(at: datetime, now: datetime) -> str:
    """How long ago, or how far ahead, in words; a week off it is a date."""
    distance = abs(now - at)
    if distance < NEARLY_NOW:
        return _("just now")
    if distance > A_WEEK:
        return formats.date_format(timezone.localtime(at), "DATETIME_FORMAT")
    words = span(distance)
    return _("in %(span)s") % {"span": words} if at > now else _("%(span)s ago") % {"span": words}


def span(length: timedelta) -> str:
    """A length of time in its largest unit: 12 s, 3 minutes, 2 days."""
    if length < timedelta(minutes=1):
        return _("%(number)d s") % {"number": length.total_seconds()}
    epoch = datetime.fromtimestamp(0, tz=UTC)
    return timesince(epoch, epoch + length, depth=1)


def moment(at: datetime | None, now: datetime | None = None) -> SafeString:
    """A time as people say it; the exact one is its title."""
    if at is None:
        return EMPTY
    local = timezone.localtime(at)
    exact = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"
    words = ago(at, now or timezone.now())
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, words)


def milliseconds(length: float | timedelta | None) -> str:
    """A duration (a number is in ms) in the unit that keeps it short."""
    if length is None:
        return "–"
    ms = length / timedelta(milliseconds=1) if isinstance(length, timedelta) else length
    if ms < 1_000:
        return _("%(number)s ms") % {"number": formats.number_format(round(ms))}
    if ms < 60_000:
        return _("%(number)s s") % {"number": formats.number_format(ms / 1_000, 1)}
    return span(timedelta(milliseconds=ms))


def characters(text: str) -> str:
    """How long it is, where its words are not to be shown."""
    number = len(text)
    return ngettext("%(count)d character", "%(count)d characters", number) % {"count": number}


def as_json(value: object) -> SafeString:
    """Indented and escaped; long content scrolls inside its box, also by keyboard."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="zupa-json" tabindex="0">{}</pre>', text)


def code(text: object) -> SafeString:
    return format_html('<code class="zupa-code">{}</code>', text) if text else EMPTY


def link(record: Model | None, text: object = None) -> SafeString:
    """A link to the record's page in the admin."""
    if record is None:
        return EMPTY
    return format_html('<a class="zupa-link" href="{}">{}</a>', address(record), text or record)


def address(record: Model) -> str:
    """Where the record's page is."""
    return page_address(type(record), record.pk)


def page_address(model: type[Model], key: Any) -> str:
    """Where the page of the model's record with this key is."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[quote(key)])


def list_address(model: type[Model], query: str = "") -> str:
    """Where the model's list is, filtered by a query string; empty when the list is not part of this site."""
    try:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
    return f"{path}?{query}" if query else path


def moment_column(field: str, description: Text) -> Column:
    """A column for `list_display` and `readonly_fields` that shows a time field as `moment` does."""
    return _column(field, description, lambda record: moment(getattr(record, field)))


def badge_column(field: str, description: Text, tones: Tones) -> Column:
    return _column(field, description, partial(badge_of, field=field, tones=tones))


def link_column(field: str, description: Text) -> Column:
    return _column(field, description, lambda record: link(getattr(record, field)))


def json_field(field: str, description: Text) -> Column:
    return _column(field, description, lambda record: as_json(getattr(record, field)))


def _column(field: str, description: Text, render: Callable[[Any], SafeString]) -> Column:
    def column(_admin: Any, record: Any) -> SafeString:
        return render(record)

    column.__name__ = field
    shown: Column = admin.display(description=description)(column)
    return shown
