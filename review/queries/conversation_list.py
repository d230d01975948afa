"""The list of conversations, newest activity first, and what is going on in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from conversations.models import Conversation, Delivery, Message, Owner
from pipeline.models import EventStatus, ProcessedEvent, Turn, TurnStatus
from review.models import ReviewItem, ReviewStatus

PROBLEM_WINDOW = timedelta(days=7)
"""A problem older than this is history: the admin has it, the list no longer points at it."""
PROBLEM_DELIVERIES = (Delivery.FAILED, Delivery.UNKNOWN)
MINE = "mine"
ROWS_A_PAGE = 30
MOST_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the reader asked for. `owner` is an `Owner`, or `MINE`; empty means any. `tenants`: whom the reader sees."""

    search: str = ""
    channel: str = ""
    owner: str = ""
    only_problems: bool = False
    reader_id: int = 0
    tenants: frozenset[int] | None = None

    @property
    def active(self) -> bool:
        return bool(self.search or self.channel or self.owner or self.only_problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in the list: one row's last activity, and its id where several share a moment."""

    at: datetime
    id: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}_{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None where the text is no cursor."""
        at, _, number = text.rpartition("_")
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            return None
        return cls(at=moment, id=int(number)) if number.isdecimal() and moment.tzinfo else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRow:
    """`last_author` and `last_delivery` speak of the newest message; both are empty where nothing was said yet.

    `is_idle`: its owner fell silent, and somebody else is asked to take it over.
    """

    id: int
    contact_name: str
    contact_address: str
    channel: str
    owner_kind: str
    owner_name: str
    is_mine: bool
    is_idle: bool
    time_zone: str
    at: datetime
    last_author: str
    last_delivery: str
    waiting: int
    is_running: bool
    has_problem: bool
    waits_for_person: bool

    @property
    def cursor(self) -> Cursor:
        return Cursor(at=self.at, id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """`end` is the last row's place, None where the list ends with it."""

    rows: Sequence[ConversationRow]
    end: Cursor | None


def newest(filters: Filters, *, now: datetime, since: Cursor | None = None) -> ConversationPage:
    """The top of the list; with `since` all down to that place, so that a refreshed list loses nothing.

    Where that has become more than `MOST_ROWS`, the page is an ordinary one, with an end of its own.
    """
    found = _matching(filters, now)
    if since:
        page = _page(found.filter(_not_older(since)), filters, MOST_ROWS, now)
        if page.end is None:
            return ConversationPage(rows=page.rows, end=since)
    return _page(found, filters, ROWS_A_PAGE, now)


def after(cursor: Cursor, filters: Filters, *, now: datetime) -> ConversationPage:
    return _page(_matching(filters, now).filter(_older(cursor)), filters, ROWS_A_PAGE, now)


def _older(than: Cursor) -> Q:
    """Says the same of the time twice: the plain comparison is what the index can be cut with."""
    return Q(last_message_at__lte=than.at) & (Q(last_message_at__lt=than.at) | Q(id__lt=than.id))


def _not_older(than: Cursor) -> Q:
    return Q(last_message_at__gte=than.at) & (Q(last_message_at__gt=than.at) | Q(id__gte=than.id))


def _matching(filters: Filters, now: datetime) -> QuerySet[Conversation]:
    found = Conversation.objects.all()
    if filters.tenants is not None:
        found = found.filter(tenant__in=filters.tenants)
    if filters.search:
        text = filters.search
        found = found.filter(Q(contact__name__icontains=text) | Q(contact__address__icontains=text))
    if filters.channel:
        found = found.filter(channel__slug=filters.channel)
    if filters.owner == MINE:
        found = found.filter(owner_id=filters.reader_id)
    elif filters.owner:
        found = found.filter(owner_kind=filters.owner)
    if filters.only_problems:
        found = found.filter(_problem(now))
    return found


def _problem(now: datetime) -> Q:
    """From the few problems to their conversations, not from each conversation to its whole past."""
    unsent, failed = _unsent(now), _failed_turns(now)
    return Q(pk__in=unsent.values("conversation")) | Q(pk__in=failed.values("conversation"))


def _unsent(now: datetime) -> QuerySet[Message]:
    return Message.objects.filter(delivery__in=PROBLEM_DELIVERIES, created_at__gte=now - PROBLEM_WINDOW)


def _failed_turns(now: datetime) -> QuerySet[Turn]:
    return Turn.objects.filter(status=TurnStatus.FAILED, started_at__gte=now - PROBLEM_WINDOW)


def _page(found: QuerySet[Conversation], filters: Filters, limit: int, now: datetime) -> ConversationPage:
    found_rows = list(_described(found, now).order_by("-last_message_at", "-id")[: limit + 1])
    rows = [_row(row, filters.reader_id) for row in found_rows[:limit]]
    return ConversationPage(rows=rows, end=rows[-1].cursor if len(found_rows) > limit else None)


def _described(found: QuerySet[Conversation], now: datetime) -> QuerySet[Conversation, Any]:
    same = Q(conversation=OuterRef("pk"))
    last = Message.objects.filter(same).order_by("-id")
    waiting = ProcessedEvent.objects.filter(same).exclude(status=EventStatus.DONE)
    return found.values(
        "id",
        "owner_kind",
        "owner_id",
        "others_asked_at",
        at=F("last_message_at"),
        contact_name=F("contact__name"),
        contact_address=F("contact__address"),
        channel_slug=F("channel__slug"),
        owner_name=F("owner__username"),
        time_zone=F("tenant__time_zone"),
        last_author=Subquery(last.values("author_kind")[:1]),
        last_delivery=Subquery(last.values("delivery")[:1]),
        waiting=Coalesce(
            Subquery(waiting.order_by().values("conversation").annotate(n=Count("*")).values("n")), 0
        ),
        is_running=Exists(Turn.objects.filter(same, status=TurnStatus.RUNNING)),
        has_problem=Exists(_unsent(now).filter(same)) | Exists(_failed_turns(now).filter(same)),
        waits_for_person=Exists(ReviewItem.objects.filter(same, status=ReviewStatus.OPEN)),
    )


def _row(row: Mapping[str, Any], reader_id: int) -> ConversationRow:
    return ConversationRow(
        id=row["id"],
        contact_name=row["contact_name"] or row["contact_address"],
        contact_address=row["contact_address"] if row["contact_name"] else "",
        channel=row["channel_slug"],
        owner_kind=row["owner_kind"],
        owner_name=row["owner_name"] or "" if row["owner_kind"] == Owner.PERSON else "",
        is_mine=row["owner_id"] == reader_id,
        is_idle=row["others_asked_at"] is not None,
        time_zone=row["time_zone"],
        at=row["at"],
        last_author=row["last_author"] or "",
        last_delivery=row["last_delivery"] or "",
        waiting=row["waiting"],
        is_running=row["is_running"],
        has_problem=row["has_problem"],
        waits_for_person=row["waits_for_person"],
    )
