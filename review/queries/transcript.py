"""One conversation as a reader sees it: what was said, what failed, what waits, what runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from heapq import merge
from itertools import pairwise
from operator import attrgetter
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from conversations.models import Direction, Note
from conversations.queries import (
    ConversationHeader,
    MessagePage,
    Said,
    conversation_header,
    messages_before,
    newest_messages,
    said_at,
)
from pipeline.models import EventStatus, ProcessedEvent, Turn, TurnStatus
from review.queries.open_reviews import OpenReview, open_reviews

MESSAGES_A_PAGE = 50
MOST_MESSAGES = 300
MAX_ASIDES = 100
MAX_WAITING = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    kind: ClassVar[str] = "message"
    at: datetime
    said: Said

    @property
    def is_ours(self) -> bool:
        return self.said.direction == Direction.OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    kind: ClassVar[str] = "day"
    at: datetime
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """A new session begins here. `reason` says why the one before it ended."""

    kind: ClassVar[str] = "session"
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTurn:
    kind: ClassVar[str] = "failed_turn"
    at: datetime
    id: UUID
    error_code: str
    error_detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """An event that never came to a turn; its outcome says why."""

    kind: ClassVar[str] = "unanswered"
    at: datetime
    id: int
    text: str
    outcome: str
    outcome_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLeft:
    """What staff wrote for each other, or for the agent."""

    kind: ClassVar[str] = "note"
    at: datetime
    id: int
    author: str
    text: str
    for_agent: bool


Aside = FailedTurn | Unanswered | NoteLeft
Entry = Bubble | Day | SessionEnd | Aside


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An event without an outcome yet. `is_held`: a person must decide first."""

    id: int
    text: str
    at: datetime
    is_processing: bool
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The turn that is being taken now. `phase` is empty before its first phase."""

    id: UUID
    phase: str
    attempts: int
    started_at: datetime
    running_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Oldest first. `first_id` is the page's oldest message, which older pages and refreshes go by."""

    header: ConversationHeader
    entries: Sequence[Entry]
    first_day: date | None
    first_id: int | None
    last: Said | None
    has_earlier: bool
    waiting: Sequence[Waiting] = ()
    running: Running | None = None
    reviews: Sequence[OpenReview] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.entries or self.waiting or self.running)


def latest(conversation_id: int, *, now: datetime, since: int | None = None) -> Transcript:
    """What was said last and what goes on now. Raises `Conversation.DoesNotExist`.

    With `since` all from that message on, so that what a reader sees stays where it is; where that has become
    more than `MOST_MESSAGES`, only as many, and `first_id` is another.
    """
    header = conversation_header(conversation_id)
    limit = MOST_MESSAGES if since else MESSAGES_A_PAGE
    page = newest_messages(conversation_id, limit=limit, since=since)
    running, failed = _turns(conversation_id, _reach(page), until=None, now=now)
    waiting, unanswered = _events(conversation_id, _reach(page), until=None)
    notes = _notes(conversation_id, _reach(page), until=None)
    shown = _transcript(header, page, [*failed, *unanswered, *notes], waiting, running)
    return replace(shown, reviews=open_reviews(conversation_id))


def earlier(conversation_id: int, message_id: int, *, now: datetime) -> Transcript:
    """The page before a message. Raises `Conversation.DoesNotExist` and `Message.DoesNotExist`."""
    header = conversation_header(conversation_id)
    until = said_at(conversation_id, message_id)
    page = messages_before(conversation_id, message_id, limit=MESSAGES_A_PAGE)
    _, failed = _turns(conversation_id, _reach(page), until=until, now=now)
    _, unanswered = _events(conversation_id, _reach(page), until=until)
    notes = _notes(conversation_id, _reach(page), until=until)
    return _transcript(header, page, [*failed, *unanswered, *notes])


def _reach(page: MessagePage) -> datetime | None:
    """Since when the page covers what happened; None where it reaches back to the beginning."""
    return page.messages[0].at if page.before and page.messages else None


def _within(field: str, since: datetime | None, until: datetime | None) -> Q:
    begun = Q(**{f"{field}__gte": since}) if since else Q()
    return begun & Q(**{f"{field}__lt": until}) if until else begun


def _turns(
    conversation_id: int, since: datetime | None, *, until: datetime | None, now: datetime
) -> tuple[Running | None, list[FailedTurn]]:
    failed = Q(status=TurnStatus.FAILED) & _within("finished_at", since, until)
    turns = Turn.objects.filter(failed | Q(status=TurnStatus.RUNNING), conversation_id=conversation_id)
    newest = list(turns.order_by("-started_at")[:MAX_ASIDES])
    running = [_running(turn, now) for turn in newest if turn.status == TurnStatus.RUNNING]
    return next(iter(running), None), [_failed(turn) for turn in newest if turn.status == TurnStatus.FAILED]


def _running(turn: Turn, now: datetime) -> Running:
    return Running(
        id=turn.pk,
        phase=turn.phase,
        attempts=turn.attempts,
        started_at=turn.started_at,
        running_s=max(0, int((now - turn.started_at).total_seconds())),
    )


def _failed(turn: Turn) -> FailedTurn:
    return FailedTurn(
        at=turn.finished_at or turn.started_at,
        id=turn.pk,
        error_code=turn.error_code,
        error_detail=turn.error_detail,
    )


def _events(
    conversation_id: int, since: datetime | None, *, until: datetime | None
) -> tuple[list[Waiting], list[Unanswered]]:
    events = ProcessedEvent.objects.filter(conversation_id=conversation_id).order_by("id")
    waiting = [_waiting(event) for event in events.exclude(status=EventStatus.DONE)[:MAX_WAITING]]
    never_ran = events.filter(_within("received_at", since, until), status=EventStatus.DONE, turn=None)
    return waiting, [_unanswered(event) for event in never_ran.reverse()[:MAX_ASIDES]]


def _notes(conversation_id: int, since: datetime | None, *, until: datetime | None) -> list[NoteLeft]:
    notes = Note.objects.filter(_within("created_at", since, until), conversation_id=conversation_id)
    return [_note(note) for note in notes.select_related("author").order_by("-id")[:MAX_ASIDES]]


def _note(note: Note) -> NoteLeft:
    return NoteLeft(
        at=note.created_at,
        id=note.pk,
        author=note.author.get_username(),
        text=note.text,
        for_agent=note.for_agent,
    )


def _waiting(event: ProcessedEvent) -> Waiting:
    return Waiting(
        id=event.pk,
        text=_text(event),
        at=event.received_at,
        is_processing=event.status == EventStatus.PROCESSING,
        is_held=event.status == EventStatus.HELD,
    )


def _unanswered(event: ProcessedEvent) -> Unanswered:
    return Unanswered(
        at=event.received_at,
        id=event.pk,
        text=_text(event),
        outcome=event.get_outcome_display() or "",
        outcome_code=event.outcome_code,
    )


def _text(event: ProcessedEvent) -> str:
    """What was written, or the kind of what was sent."""
    text, kind = event.payload.get("text"), event.payload.get("type")
    return text if isinstance(text, str) and text else f"[{kind or event.kind}]"


def _transcript(
    header: ConversationHeader,
    page: MessagePage,
    asides: Iterable[Aside],
    waiting: Sequence[Waiting] = (),
    running: Running | None = None,
) -> Transcript:
    zone = ZoneInfo(header.time_zone)
    bubbles = [Bubble(at=said.at, said=said) for said in page.messages]
    timeline = list(merge(bubbles, sorted(asides, key=attrgetter("at")), key=attrgetter("at")))
    before = Bubble(at=page.before.at, said=page.before) if page.before else None
    return Transcript(
        header=header,
        entries=list(_with_marks(before, timeline, zone)),
        first_day=timeline[0].at.astimezone(zone).date() if timeline else None,
        first_id=page.messages[0].id if page.messages else None,
        last=page.messages[-1] if page.messages else None,
        has_earlier=page.before is not None,
        waiting=waiting,
        running=running,
    )


def _with_marks(before: Bubble | None, timeline: Sequence[Bubble | Aside], zone: ZoneInfo) -> Iterator[Entry]:
    """The entries with a mark wherever a day or a session begins; the page's first day is the page's own to show."""
    if not timeline:
        return
    session = before.said.session if before else None
    for previous, entry in pairwise([before or timeline[0], *timeline]):
        day = entry.at.astimezone(zone).date()
        if entry is not timeline[0] and day != previous.at.astimezone(zone).date():
            yield Day(at=entry.at, day=day)
        if isinstance(entry, Bubble) and entry.said.session:
            if session and session.id != entry.said.session.id:
                yield SessionEnd(at=entry.at, reason=session.end_reason)
            session = entry.said.session
        yield entry
