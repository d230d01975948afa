"""The review inbox: its pages, the fragments they refresh, what is decided together, and the cases taken out."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import ngettext

from conversations.access import visible
from review import cases as labelled
from review import decisions, given, inbox_pane
from review.access import may_decide, may_open_console, may_open_inbox
from review.cases import Wanted
from review.decisions import InvalidError, Verdict
from review.guards import case_export, inbox_act, inbox_page
from review.item_views import REFUSED, decision
from review.models import ReviewItem, ReviewKind
from review.queries import inbox as inbox_list
from review.queries import item as items
from review.queries.conversation_list import Cursor

MOST_CHOSEN = 200


def inbox(request: HttpRequest) -> HttpResponseBase:
    """Who may read conversations and nothing here is led to them."""
    if may_open_console(request.user) and not may_open_inbox(request.user):
        return redirect("review:conversations")
    return _inbox(request)


@inbox_page
def _inbox(request: HttpRequest, user: User) -> HttpResponse:
    return render(request, "review/inbox/inbox.html", inbox_pane.list_pane(request, user))


@inbox_page
def rows(request: HttpRequest, user: User) -> HttpResponse:
    """The rows down to `since`, or the first page."""
    since = Cursor.parse(request.GET.get("since", ""))
    context = inbox_pane.rows(request, user, since) | {"selected": given.number(request.GET, "selected")}
    has_moved = since is None or context["page"].end != since
    return render(request, "review/inbox/rows_refreshed.html", context | {"has_moved": has_moved})


@inbox_page
def more_rows(request: HttpRequest, user: User) -> HttpResponse:
    cursor = Cursor.parse(request.GET.get("after", ""))
    if cursor is None:
        return HttpResponseBadRequest("`after` is no place in the list")
    now = timezone.now()
    page = inbox_list.after(cursor, inbox_pane.filters(request.GET, user), now=now)
    context = {"page": page, "now": now, "may_decide": may_decide(user)}
    selected = {"selected": given.number(request.GET, "selected")}
    return render(request, "review/inbox/rows_more.html", context | selected)


@inbox_page
def number_open(request: HttpRequest, user: User) -> HttpResponse:
    return render(request, "review/inbox/number_open.html", {"number": inbox_list.number_open(user)})


@inbox_page
def chosen(request: HttpRequest, user: User) -> HttpResponse:
    """What can be done with the chosen items together."""
    return render(request, "review/inbox/chosen.html", _chosen(_items(request.GET, user), user))


@inbox_act
def decide_chosen(request: HttpRequest, user: User) -> HttpResponse:
    found = _items(request.POST, user)
    try:
        verdict = Verdict(decision=decision(request.POST), fingerprint="", reason=given.reason(request.POST))
        number, late = decisions.decide_all([each.pk for each in found], verdict, by=user, now=timezone.now())
    except InvalidError as invalid:
        typed = {"reason": given.reason(request.POST), "decision": request.POST.get("decision", "")}
        context = _chosen(found, user) | {"problem": str(invalid)} | typed
        return render(request, "review/inbox/chosen.html", context, status=REFUSED)
    done = ngettext("Decided %(n)d item: %(how)s.", "Decided %(n)d items: %(how)s.", number)
    messages.success(request, done % {"n": number, "how": verdict.decision.label})
    for sentence in late:
        messages.warning(request, sentence)
    return inbox_pane.to_next(request, user)


@case_export
def cases(request: HttpRequest, user: User) -> HttpResponseBase:
    try:
        wanted = _wanted(request.GET)
    except ValueError:
        return HttpResponseBadRequest(
            "`from` and `to` are days, such as 2026-03-01; `kind` is one of an item"
        )
    now = timezone.now()
    labelled.record_export(wanted, by=user.get_username(), now=now)
    headers = {"Content-Disposition": f'attachment; filename="cases-{now:%Y%m%d-%H%M%S}.jsonl"'}
    stream = labelled.stream(labelled.decided(wanted, reader=user))
    return StreamingHttpResponse(stream, content_type=labelled.CONTENT_TYPE, headers=headers)


def _chosen(found: list[ReviewItem], user: User) -> dict[str, Any]:
    alike = decisions.are_alike(found)
    offered = [each for each in items.BULK if alike and each in items.offered(found[0].kind, user)]
    return {"chosen": found, "alike": alike, "offered": offered, "may_decide": may_decide(user)}


def _items(sent: QueryDict, user: User) -> list[ReviewItem]:
    """Those of the named ones that are still open, and the reader's to see."""
    numbers = [int(text) for text in sent.getlist("item")[:MOST_CHOSEN] if given.is_number(text)]
    found = visible(ReviewItem.objects.filter(inbox_list.OPEN, pk__in=numbers), user)
    return list(found.order_by("due_at", "pk"))


def _wanted(query: QueryDict) -> Wanted:
    """Raises `ValueError`."""
    since, until, kind = (query.get(name, "") for name in ("from", "to", "kind"))
    return Wanted(
        since=date.fromisoformat(since) if since else None,
        until=date.fromisoformat(until) if until else None,
        kind=ReviewKind(kind).value if kind else "",
    )
