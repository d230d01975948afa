"""The inbox's list as both its pages show it: which rows, under which filters, and where a decision leads next."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from conversations.access import tenant_ids
from review import given
from review.access import may_decide, may_export
from review.models import ReviewKind, Risk
from review.queries import inbox
from review.queries.conversation_list import Cursor
from review.queries.inbox import Filters, Tab, Whose

LONGEST_SEARCH = 100


def list_pane(request: HttpRequest, user: User) -> dict[str, Any]:
    offered = {"choices": inbox.choices(user), "kinds": ReviewKind.choices, "risks": Risk.choices}
    page = {"here": "inbox", "selected": None, "may_export": may_export(user)}
    return rows(request, user) | offered | page


def rows(request: HttpRequest, user: User, since: Cursor | None = None) -> dict[str, Any]:
    asked, now = filters(request.GET, user), timezone.now()
    page = inbox.first(asked, since=since, now=now)
    return {"page": page, "filters": asked, "now": now, "may_decide": may_decide(user)}


def to_next(request: HttpRequest, user: User, than: int = 0) -> HttpResponse:
    """The list's next open item, or the list."""
    following = inbox.next_open(filters(request.GET, user), than=than, now=timezone.now())
    address = reverse("review:item", args=[following]) if following else reverse("review:inbox")
    query = request.GET.copy()
    query.pop("pass", None)
    return HttpResponse(headers={"HX-Redirect": f"{address}?{query.urlencode()}" if query else address})


def filters(query: QueryDict, user: User) -> Filters:
    """What is not known means "any"; a page address that somebody kept should not break."""
    kind, risk, whose = query.get("kind", ""), query.get("risk", ""), query.get("whose", "")
    return Filters(
        tab=Tab.DONE if query.get("tab") == Tab.DONE else Tab.OPEN,
        kind=kind if kind in ReviewKind.values else "",
        risk=risk if risk in Risk.values else "",
        tenant=given.number(query, "tenant"),
        agent=given.number(query, "agent"),
        whose=whose if whose in list(Whose) else "",
        only_overdue=query.get("overdue") == "1",
        search=query.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH],
        reader_id=user.pk,
        tenants=tenant_ids(user),
    )
