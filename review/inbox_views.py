"""The review inbox: its pages, the fragments they refresh, and what reviewers do."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from conversations.access import tenant_ids, visible
from conversations.live import conversation_topic
from review import cases as labelled
from review import decisions, passes
from review.access import may_decide, may_export, may_open_console, may_open_inbox
from review.cases import Wanted
from review.decisions import InvalidError, LateError, Verdict
from review.guards import case_export, inbox_act, inbox_page, item_act, item_fragment, item_page
from review.models import ReviewDecision, ReviewItem, ReviewKind, Risk
from review.operations import open_conversation
from review.proposals import PREFIX, composed
from review.queries import inbox as inbox_list
from review.queries import item as items
from review.queries import transcript as transcripts
from review.queries.conversation_list import Cursor
from review.queries.inbox import Filters, Tab, Whose

LATE = 409
REFUSED = 422
LONGEST_SEARCH = 100
LONGEST_REASON = 500
LONGEST_TEXT = 20_000
MOST_CHOSEN = 200

DONE = {
    ReviewDecision.APPROVE: gettext_lazy("Approved: %(contact)s"),
    ReviewDecision.EDIT: gettext_lazy("Approved with changes: %(contact)s"),
    ReviewDecision.REJECT: gettext_lazy("Rejected: %(contact)s"),
    ReviewDecision.ANSWER: gettext_lazy("Your answer goes out: %(contact)s"),
    ReviewDecision.TAKE_OVER: gettext_lazy("You answer now: %(contact)s"),
    ReviewDecision.REQUEUE: gettext_lazy("It is tried again: %(contact)s"),
    ReviewDecision.MARK_DELIVERED: gettext_lazy("Marked as delivered: %(contact)s"),
    ReviewDecision.SEND_AGAIN: gettext_lazy("It is sent again: %(contact)s"),
    ReviewDecision.DISMISS: gettext_lazy("Dismissed: %(contact)s"),
}


def inbox(request: HttpRequest) -> HttpResponseBase:
    """Who may read conversations and nothing here is led to them."""
    if may_open_console(request.user) and not may_open_inbox(request.user):
        return redirect("review:conversations")
    return _inbox(request)


@inbox_page
def _inbox(request: HttpRequest, user: User) -> HttpResponse:
    return render(request, "review/inbox/inbox.html", _list_pane(request, user))


@inbox_page
def rows(request: HttpRequest, user: User) -> HttpResponse:
    """The rows down to `since`, or the first page."""
    since = Cursor.parse(request.GET.get("since", ""))
    context = _rows(request, user, since) | {"selected": _number(request.GET, "selected")}
    has_moved = since is None or context["page"].end != since
    return render(request, "review/inbox/rows_refreshed.html", context | {"has_moved": has_moved})


@inbox_page
def more_rows(request: HttpRequest, user: User) -> HttpResponse:
    cursor = Cursor.parse(request.GET.get("after", ""))
    if cursor is None:
        return HttpResponseBadRequest("`after` is no place in the list")
    now = timezone.now()
    page = inbox_list.after(cursor, _filters(request.GET, user), now=now)
    context = {"page": page, "now": now, "may_decide": may_decide(user)}
    selected = {"selected": _number(request.GET, "selected")}
    return render(request, "review/inbox/rows_more.html", context | selected)


@inbox_page
def number_open(request: HttpRequest, user: User) -> HttpResponse:
    return render(request, "review/inbox/number_open.html", {"number": inbox_list.number_open(user)})


@item_page
def item(request: HttpRequest, user: User, found: ReviewItem) -> HttpResponse:
    """Opening an item is reading its conversation, and recorded as such."""
    now = timezone.now()
    header = open_conversation(found.conversation_id, by=user, now=now)
    reading_pass = passes.issue(found.conversation_id, user.pk)
    context = {
        "shown": items.shown(found),
        "header": header,
        "transcript": transcripts.latest(found.conversation_id, now=now) if may_open_console(user) else None,
        "topic": conversation_topic(found.conversation_id),
        "longest_text": LONGEST_TEXT,
    }
    listed = _list_pane(request, user) | {"selected": found.pk}
    return render(request, "review/inbox/item.html", listed | context | _standing(found, user, reading_pass))


@item_fragment
def item_standing(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    return render(request, "review/inbox/standing.html", _standing(found, user, reading_pass))


@item_act
def claim(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    """Claiming again keeps it longer."""
    try:
        decisions.claim(found.pk, by=user, now=timezone.now())
    except LateError as late:
        return _refused(request, user, found, reading_pass, str(late), LATE)
    return _acted(request, user, found, reading_pass)


@item_act
def release(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    decisions.release(found.pk, by=user, now=timezone.now())
    return _acted(request, user, found, reading_pass)


@item_act
def decide(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    """Leads to the next item; where it was refused, what was typed stays and the page says why."""
    try:
        verdict = _verdict(request.POST, found)
        decisions.decide(found.pk, verdict, by=user, now=timezone.now())
    except LateError as late:
        return _refused(request, user, found, reading_pass, str(late), LATE)
    except InvalidError as invalid:
        return _refused(request, user, found, reading_pass, str(invalid), REFUSED)
    contact = found.conversation.contact
    messages.success(request, DONE[verdict.decision] % {"contact": contact.name or contact.address})
    return _to_next(request, user, found.pk)


@inbox_page
def chosen(request: HttpRequest, user: User) -> HttpResponse:
    """What can be done with the chosen items together."""
    return render(request, "review/inbox/chosen.html", _chosen(_items(request.GET, user), user))


@inbox_act
def decide_chosen(request: HttpRequest, user: User) -> HttpResponse:
    found = _items(request.POST, user)
    try:
        verdict = Verdict(decision=_decision(request.POST), fingerprint="", reason=_reason(request.POST))
        number, late = decisions.decide_all([each.pk for each in found], verdict, by=user, now=timezone.now())
    except InvalidError as invalid:
        typed = {"reason": _reason(request.POST), "decision": request.POST.get("decision", "")}
        context = _chosen(found, user) | {"problem": str(invalid)} | typed
        return render(request, "review/inbox/chosen.html", context, status=REFUSED)
    done = ngettext("Decided %(n)d item: %(how)s.", "Decided %(n)d items: %(how)s.", number)
    messages.success(request, done % {"n": number, "how": verdict.decision.label})
    for sentence in late:
        messages.warning(request, sentence)
    return _to_next(request, user)


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


def _list_pane(request: HttpRequest, user: User) -> dict[str, Any]:
    offered = {"choices": inbox_list.choices(user), "kinds": ReviewKind.choices, "risks": Risk.choices}
    page = {"here": "inbox", "selected": None, "may_export": may_export(user)}
    return _rows(request, user) | offered | page


def _rows(request: HttpRequest, user: User, since: Cursor | None = None) -> dict[str, Any]:
    filters, now = _filters(request.GET, user), timezone.now()
    page = inbox_list.first(filters, since=since, now=now)
    return {"page": page, "filters": filters, "now": now, "may_decide": may_decide(user)}


def _standing(found: ReviewItem, user: User, reading_pass: str) -> dict[str, Any]:
    now = timezone.now()
    return {
        "standing": items.standing(found, reader=user, now=now),
        "item": found,
        "now": now,
        "reading_pass": reading_pass,
    }


def _acted(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    context = _standing(items.find(found.pk, reader=user), user, reading_pass)
    return render(request, "review/inbox/acted.html", context)


def _refused(
    request: HttpRequest, user: User, found: ReviewItem, reading_pass: str, problem: str, status: int
) -> HttpResponse:
    context = _standing(items.find(found.pk, reader=user), user, reading_pass)
    return render(request, "review/inbox/acted.html", context | {"problem": problem}, status=status)


def _to_next(request: HttpRequest, user: User, than: int = 0) -> HttpResponse:
    """The list's next open item, or the list."""
    following = inbox_list.next_open(_filters(request.GET, user), than=than, now=timezone.now())
    address = reverse("review:item", args=[following]) if following else reverse("review:inbox")
    query = request.GET.copy()
    query.pop("pass", None)
    return HttpResponse(headers={"HX-Redirect": f"{address}?{query.urlencode()}" if query else address})


def _verdict(given: QueryDict, found: ReviewItem) -> Verdict:
    """Raises `InvalidError`."""
    filled_in = {name: _text(given, name) for name in given if name.startswith(PREFIX)}
    return Verdict(
        decision=_decision(given),
        fingerprint=given.get("fingerprint", ""),
        reason=_reason(given),
        text=_text(given, "text"),
        arguments=composed(found.proposal, filled_in, _text(given, "arguments")) if filled_in else "",
    )


def _decision(given: QueryDict) -> ReviewDecision:
    try:
        return ReviewDecision(given.get("decision", ""))
    except ValueError as error:
        raise InvalidError(_("This cannot be decided so.")) from error


def _chosen(found: list[ReviewItem], user: User) -> dict[str, Any]:
    alike = decisions.are_alike(found)
    offered = [each for each in items.BULK if alike and each in items.offered(found[0].kind)]
    return {"chosen": found, "alike": alike, "offered": offered, "may_decide": may_decide(user)}


def _items(given: QueryDict, user: User) -> list[ReviewItem]:
    """Those of the named ones that are still open, and the reader's to see."""
    numbers = [int(text) for text in given.getlist("item")[:MOST_CHOSEN] if _is_number(text)]
    found = visible(ReviewItem.objects.filter(inbox_list.OPEN, pk__in=numbers), user)
    return list(found.order_by("due_at", "pk"))


def _filters(query: QueryDict, user: User) -> Filters:
    """What is not known means "any"; a page address that somebody kept should not break."""
    kind, risk, whose = query.get("kind", ""), query.get("risk", ""), query.get("whose", "")
    return Filters(
        tab=Tab.DONE if query.get("tab") == Tab.DONE else Tab.OPEN,
        kind=kind if kind in ReviewKind.values else "",
        risk=risk if risk in Risk.values else "",
        tenant=_number(query, "tenant"),
        agent=_number(query, "agent"),
        whose=whose if whose in list(Whose) else "",
        only_overdue=query.get("overdue") == "1",
        search=query.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH],
        reader_id=user.pk,
        tenants=tenant_ids(user),
    )


def _wanted(query: QueryDict) -> Wanted:
    """Raises `ValueError`."""
    since, until, kind = (query.get(name, "") for name in ("from", "to", "kind"))
    return Wanted(
        since=date.fromisoformat(since) if since else None,
        until=date.fromisoformat(until) if until else None,
        kind=ReviewKind(kind).value if kind else "",
    )


def _text(given: QueryDict, name: str) -> str:
    return given.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()[:LONGEST_TEXT]


def _reason(given: QueryDict) -> str:
    return _text(given, "reason")[:LONGEST_REASON]


def _number(query: QueryDict, name: str) -> int | None:
    text = query.get(name, "")
    return int(text) if _is_number(text) else None


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 19
