"""The review inbox: what waits for a person, oldest due first, and what was decided, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from conversations.access import visible
from conversations.models import Agent, Tenant
from review.models import ReviewDecision, ReviewItem, ReviewKind, ReviewStatus, Risk
from review.proposals import in_one_line
from review.queries.conversation_list import MOST_ROWS, ROWS_A_PAGE, Cursor

MOST_COUNTED = 1_000
"""The number beside the inbox goes no further, so that it costs the same however much waits."""
OPEN = Q(status=ReviewStatus.OPEN)
"""Both conditions are worded as those of the partial indexes, which the planner can then use."""
ENDED = ~Q(status=ReviewStatus.OPEN)


class Tab(StrEnum):
    OPEN = "open"
    DONE = "done"


class Whose(StrEnum):
    """Claimed by the reader, or by nobody."""

    MINE = "mine"
    UNCLAIMED = "unclaimed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the reader asked for; empty means any. `tenants`: whom the reader sees, None for all."""

    tab: Tab = Tab.OPEN
    kind: str = ""
    risk: str = ""
    tenant: int | None = None
    agent: int | None = None
    whose: str = ""
    only_overdue: bool = False
    search: str = ""
    reader_id: int = 0
    tenants: frozenset[int] | None = None

    @property
    def active(self) -> bool:
        narrowed = (self.kind, self.risk, self.tenant, self.agent, self.whose, self.only_overdue, self.search)
        return any(narrowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """`at` is when it is due, or when it ended. `bulk_key` is empty where it is decided for itself.

    `decision` and `decided_by` are empty where nobody decided.
    """

    id: int
    kind: str
    status: str
    risk: str
    contact: str
    proposed: str
    why_code: str
    why: str
    time_zone: str
    at: datetime
    is_overdue: bool
    claimed_by: str
    is_mine: bool
    bulk_key: str
    decision: str
    decided_by: str

    @property
    def cursor(self) -> Cursor:
        return Cursor(at=self.at, id=self.id)

    @property
    def kind_label(self) -> str:
        return str(ReviewKind(self.kind).label)

    @property
    def status_label(self) -> str:
        return str(ReviewStatus(self.status).label)

    @property
    def decision_label(self) -> str:
        return str(ReviewDecision(self.decision).label) if self.decision else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """`end` is the last row's place, None where the list ends with it."""

    rows: Sequence[InboxRow]
    end: Cursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the filters offer beside kinds and risks: what the reader sees, where there is more than one of it."""

    tenants: Sequence[tuple[int, str]]
    agents: Sequence[tuple[int, str]]


def first(filters: Filters, *, now: datetime, since: Cursor | None = None) -> InboxPage:
    """The top of the list; with `since` all down to that place, so that a refreshed list loses nothing.

    Where that has become more than `MOST_ROWS`, the page is an ordinary one, with an end of its own.
    """
    found = _matching(filters, now)
    if since:
        page = _page(found.filter(_up_to(since, filters.tab)), filters, MOST_ROWS, now)
        if page.end is None:
            return InboxPage(rows=page.rows, end=since)
    return _page(found, filters, ROWS_A_PAGE, now)


def after(cursor: Cursor, filters: Filters, *, now: datetime) -> InboxPage:
    found = _matching(filters, now).filter(_beyond(cursor, filters.tab))
    return _page(found, filters, ROWS_A_PAGE, now)


def next_open(filters: Filters, *, now: datetime, than: int = 0) -> int | None:
    """The item to go on with: the first of the list that nobody else claimed, leaving out `than`."""
    free = Q(claimed_by=None) | Q(claimed_by=filters.reader_id) | Q(claim_expires_at__lte=now)
    found = _matching(filters, now).filter(OPEN, free).exclude(pk=than)
    return found.order_by("due_at", "id").values_list("pk", flat=True).first()


def number_open(user: User) -> int:
    """At most `MOST_COUNTED`, which stands for "as many, or more"."""
    return visible(ReviewItem.objects.filter(OPEN), user).order_by()[:MOST_COUNTED].count()


def choices(user: User) -> Choices:
    tenants = visible(Tenant.objects.order_by("name"), user, "pk").values_list("pk", "name")
    agents = visible(Agent.objects.order_by("name"), user).values_list("pk", "name")
    return Choices(tenants=_several(tenants), agents=_several(agents))


def _several(found: QuerySet[Any, tuple[int, str]]) -> list[tuple[int, str]]:
    rows = list(found)
    return rows if len(rows) > 1 else []


def _beyond(cursor: Cursor, tab: Tab) -> Q:
    """Says the same of the time twice: the plain comparison is what the index can be cut with."""
    if tab is Tab.OPEN:
        return Q(due_at__gte=cursor.at) & (Q(due_at__gt=cursor.at) | Q(id__gt=cursor.id))
    return Q(ended_at__lte=cursor.at) & (Q(ended_at__lt=cursor.at) | Q(id__lt=cursor.id))


def _up_to(cursor: Cursor, tab: Tab) -> Q:
    if tab is Tab.OPEN:
        return Q(due_at__lte=cursor.at) & (Q(due_at__lt=cursor.at) | Q(id__lte=cursor.id))
    return Q(ended_at__gte=cursor.at) & (Q(ended_at__gt=cursor.at) | Q(id__gte=cursor.id))


def _matching(filters: Filters, now: datetime) -> QuerySet[ReviewItem]:
    found = ReviewItem.objects.filter(OPEN if filters.tab is Tab.OPEN else ENDED)
    if filters.tenants is not None:
        found = found.filter(tenant__in=filters.tenants)
    exact = {
        "kind": filters.kind,
        "risk": filters.risk,
        "tenant": filters.tenant,
        "conversation__channel__agent": filters.agent,
    }
    found = found.filter(**{name: value for name, value in exact.items() if value})
    if filters.only_overdue:
        found = found.filter(due_at__lte=now)
    if filters.search:
        text = filters.search
        contact = Q(conversation__contact__name__icontains=text)
        found = found.filter(contact | Q(conversation__contact__address__icontains=text))
    return found.filter(_whose(filters, now))


def _whose(filters: Filters, now: datetime) -> Q:
    """In the open list those claimed by the reader, in the other one those that the reader decided."""
    if filters.tab is Tab.DONE:
        return Q(decided_by=filters.reader_id) if filters.whose == Whose.MINE else Q()
    if filters.whose == Whose.MINE:
        return Q(claimed_by=filters.reader_id, claim_expires_at__gt=now)
    if filters.whose == Whose.UNCLAIMED:
        return Q(claimed_by=None) | Q(claim_expires_at__lte=now)
    return Q()


def _page(found: QuerySet[ReviewItem], filters: Filters, limit: int, now: datetime) -> InboxPage:
    order = ("due_at", "id") if filters.tab is Tab.OPEN else ("-ended_at", "-id")
    found_rows = list(_described(found).order_by(*order)[: limit + 1])
    rows = [_row(row, filters, now) for row in found_rows[:limit]]
    return InboxPage(rows=rows, end=rows[-1].cursor if len(found_rows) > limit else None)


def _described(found: QuerySet[ReviewItem]) -> QuerySet[ReviewItem, Any]:
    return found.values(
        "id",
        "kind",
        "status",
        "risk",
        "proposal",
        "why_code",
        "why",
        "due_at",
        "bulk_key",
        "decision",
        "claimed_by_id",
        "claim_expires_at",
        at=Coalesce("ended_at", "due_at"),
        contact_name=F("conversation__contact__name"),
        contact_address=F("conversation__contact__address"),
        time_zone=F("tenant__time_zone"),
        claimer=F("claimed_by__username"),
        decider=F("decided_by__username"),
    )


def _row(row: Mapping[str, Any], filters: Filters, now: datetime) -> InboxRow:
    is_open = row["status"] == ReviewStatus.OPEN
    is_claimed = is_open and row["claim_expires_at"] is not None and row["claim_expires_at"] > now
    return InboxRow(
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        risk=row["risk"],
        contact=row["contact_name"] or row["contact_address"],
        proposed=in_one_line(row["proposal"]),
        why_code=row["why_code"],
        why=row["why"],
        time_zone=row["time_zone"],
        at=row["at"],
        is_overdue=is_open and row["due_at"] <= now,
        claimed_by=row["claimer"] if is_claimed else "",
        is_mine=is_claimed and row["claimed_by_id"] == filters.reader_id,
        bulk_key=row["bulk_key"] if is_open and row["risk"] == Risk.LOW else "",
        decision=row["decision"],
        decided_by=row["decider"] or "",
    )
