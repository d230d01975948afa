"""A turn and an event, told chapter by chapter."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.staff.show import Tone, address, milliseconds, span
from audit.staff.story import Chapter
from conversations.admin.tones import DELIVERY
from pipeline.admin import tones, words
from pipeline.models import (
    EventStatus,
    Outcome,
    ProcessedEvent,
    StepKind,
    StepStatus,
    Turn,
    TurnStatus,
)
from pipeline.queries import EventRecord, TurnRecord


def turn_summary(record: TurnRecord, now: datetime) -> str:
    """The turn in a sentence or two."""
    turn = record.turn
    if turn.status == TurnStatus.RUNNING:
        return _running(turn, now)
    took = milliseconds(turn.finished_at - turn.started_at) if turn.finished_at else "–"
    if turn.status == TurnStatus.SUCCEEDED:
        told = _("Took %(time)s, with %(effects)s.") % {"time": took, "effects": _effects(record)}
        return " ".join(part for part in (told, _generations(turn)) if part)
    parts = (words.of_code(turn.error_code), _last_phase(turn), _attempts(turn), _generations(turn))
    return " ".join(part for part in parts if part)


def _running(turn: Turn, now: datetime) -> str:
    where = {"phase": turn.phase or _("its first phase"), "span": span(now - turn.started_at)}
    return " ".join(
        part
        for part in (
            _("Has run for %(span)s, now in %(phase)s.") % where,
            _attempts(turn),
            _generations(turn),
        )
        if part
    )


def _effects(record: TurnRecord) -> str:
    models = sum(step.kind == StepKind.MODEL for step in record.steps)
    tools = sum(step.kind == StepKind.TOOL for step in record.steps)
    return _("%(models)s and %(tools)s") % {
        "models": ngettext("%(count)d model call", "%(count)d model calls", models) % {"count": models},
        "tools": ngettext("%(count)d tool call", "%(count)d tool calls", tools) % {"count": tools},
    }


def _last_phase(turn: Turn) -> str:
    broken = next((phase["name"] for phase in turn.phases if phase.get("error")), turn.phase)
    return _("It failed in %(phase)s.") % {"phase": broken} if broken else ""


def _attempts(turn: Turn) -> str:
    if turn.attempts < 2:
        return ""
    return _("It was begun %(count)d times.") % {"count": turn.attempts}


def _generations(turn: Turn) -> str:
    if not turn.generation:
        return ""
    text = ngettext(
        "It started over %(count)d time to take in messages that came meanwhile.",
        "It started over %(count)d times to take in messages that came meanwhile.",
        turn.generation,
    )
    return text % {"count": turn.generation}


def unknown_effects(record: TurnRecord) -> str:
    number = sum(step.status == StepStatus.UNKNOWN for step in record.steps)
    if not number:
        return ""
    text = ngettext(
        "%(count)d effect is unknown: it was begun, and nobody knows whether it happened.",
        "%(count)d effects are unknown: they were begun, and nobody knows whether they happened.",
        number,
    )
    return text % {"count": number}


def event_story(record: EventRecord) -> list[Chapter]:
    return [
        *_received(record.event),
        *_requeued(record.event),
        *_worked_on(record),
        *_outcome(record),
        *_answers(record),
    ]


def _received(event: ProcessedEvent) -> Iterator[Chapter]:
    yield Chapter(
        at=event.received_at,
        title=_("Received and recorded"),
        detail=_("Request %(id)s") % {"id": event.request_id},
        tone=Tone.INFO,
    )
    if event.duplicates:
        text = ngettext(
            "Delivered again %(count)d time, and answered once",
            "Delivered again %(count)d times, and answered once",
            event.duplicates,
        )
        yield Chapter(title=text % {"count": event.duplicates})
    if event.conflicts:
        text = ngettext(
            "%(count)d redelivery had different content",
            "%(count)d redeliveries had different content",
            event.conflicts,
        )
        yield Chapter(
            title=text % {"count": event.conflicts},
            detail=_("The first content was kept; the difference stands in the audit trail."),
            tone=Tone.WARNING,
        )


def _requeued(event: ProcessedEvent) -> Iterator[Chapter]:
    if event.requeued_at:
        text = ngettext(
            "Sent back into the queue by a person",
            "Sent back into the queue by a person, for the %(count)d. time",
            event.requeues,
        )
        yield Chapter(at=event.requeued_at, title=text % {"count": event.requeues}, tone=Tone.INFO)


def _worked_on(record: EventRecord) -> Iterator[Chapter]:
    turn = record.turn
    if turn:
        yield Chapter(
            at=turn.started_at,
            title=_("Worked on by a turn"),
            detail=": ".join(filter(None, (turn.get_status_display(), words.of_code(turn.error_code)))),
            tone=tones.TURN[TurnStatus(turn.status)],
            address=address(turn),
        )


def _outcome(record: EventRecord) -> Iterator[Chapter]:
    event = record.event
    if event.outcome:
        yield Chapter(
            at=event.done_at,
            title=_("Outcome: %(outcome)s") % {"outcome": event.get_outcome_display()},
            detail=event_summary(event),
            tone=tones.OUTCOME[Outcome(event.outcome)],
        )
    else:
        yield Chapter(title=_("No outcome yet"), detail=event_summary(event))
    for other in record.merged_with:
        yield Chapter(title=_("Answered together with %(event)s") % {"event": other}, address=address(other))


def event_summary(event: ProcessedEvent) -> str:
    """What became of the event, in a sentence or two."""
    if event.outcome:
        return f"{words.OUTCOMES[event.outcome]} {words.of_code(event.outcome_code)}".strip()
    if event.status == EventStatus.PROCESSING:
        return _("A worker is at it.")
    return _("It waits for a worker.")


def _answers(record: EventRecord) -> Iterator[Chapter]:
    for message in record.answers:
        yield Chapter(
            at=message.sent_at or message.created_at,
            title=_("Answer %(state)s") % {"state": message.get_delivery_display()},
            detail=message.text[:200],
            tone=DELIVERY[message.delivery],
            address=address(message),
        )
