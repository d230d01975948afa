"""The console's pages and the fragments they refresh."""

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import render
from django.utils import timezone

from conversations.access import tenant_ids
from conversations.live import conversation_topic
from conversations.models import Conversation, Message, Owner
from conversations.queries import channel_slugs
from review import passes
from review.given import number
from review.guards import conversation_page, staff_page
from review.operations import open_conversation
from review.queries import conversation_list
from review.queries import transcript as transcripts
from review.queries.conversation_list import MINE, Cursor, Filters
from review.queries.standing import standing
from review.queries.transcript import Transcript

LONGEST_SEARCH = 100
OWNERS = (*Owner.values, MINE)


@staff_page
def conversations(request: HttpRequest, user: User) -> HttpResponse:
    return render(request, "review/conversations.html", _list_pane(request, user))


@staff_page
def rows(request: HttpRequest, user: User) -> HttpResponse:
    """The rows down to `since`, or the first page."""
    since = Cursor.parse(request.GET.get("since", ""))
    context = _rows(request, user, since) | {"selected": number(request.GET, "selected")}
    has_moved = since is None or context["page"].end != since
    return render(request, "review/rows_refreshed.html", context | {"has_moved": has_moved})


@staff_page
def more_rows(request: HttpRequest, user: User) -> HttpResponse:
    cursor = Cursor.parse(request.GET.get("after", ""))
    if cursor is None:
        return HttpResponseBadRequest("`after` is no place in the list")
    page = conversation_list.after(cursor, _filters(request.GET, user), now=timezone.now())
    return render(
        request, "review/rows_more.html", {"page": page, "selected": number(request.GET, "selected")}
    )


@staff_page
def conversation(request: HttpRequest, user: User, conversation_id: int) -> HttpResponse:
    now = timezone.now()
    try:
        open_conversation(conversation_id, by=user, now=now)
    except Conversation.DoesNotExist as error:
        raise Http404 from error
    shown = transcripts.latest(conversation_id, now=now)
    context = _transcript(shown, passes.issue(conversation_id, user.pk))
    context |= {"standing": standing(conversation_id, reader=user, now=now), "now": now, "key": uuid4()}
    return render(request, "review/conversation.html", _list_pane(request, user) | context)


@conversation_page
def transcript(request: HttpRequest, conversation_id: int, reading_pass: str) -> HttpResponse:
    since = number(request.GET, "since")
    shown = transcripts.latest(conversation_id, since=since, now=timezone.now())
    context = _transcript(shown, reading_pass) | {"has_moved": shown.first_id != since}
    return render(request, "review/transcript_refreshed.html", context)


@conversation_page
def earlier(request: HttpRequest, conversation_id: int, reading_pass: str) -> HttpResponse:
    try:
        shown = transcripts.earlier(conversation_id, number(request.GET, "before") or 0, now=timezone.now())
    except Message.DoesNotExist as error:
        raise Http404 from error
    return render(request, "review/transcript_earlier.html", _transcript(shown, reading_pass))


def _list_pane(request: HttpRequest, user: User) -> dict[str, Any]:
    return _rows(request, user) | {"channels": channel_slugs(user), "selected": None}


def _rows(request: HttpRequest, user: User, since: Cursor | None = None) -> dict[str, Any]:
    filters = _filters(request.GET, user)
    return {
        "page": conversation_list.newest(filters, since=since, now=timezone.now()),
        "filters": filters,
        "simulator_url": "" if settings.ZUPA.production else settings.ZUPA.simulator_url,
    }


def _transcript(shown: Transcript, reading_pass: str) -> dict[str, Any]:
    return {
        "transcript": shown,
        "header": shown.header,
        "selected": shown.header.id,
        "topic": conversation_topic(shown.header.id),
        "reading_pass": reading_pass,
    }


def _filters(query: QueryDict, user: User) -> Filters:
    """What is not known means "any"; a page address that somebody kept should not break."""
    owner = query.get("owner", "")
    return Filters(
        search=query.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH],
        channel=query.get("channel", "").replace("\0", ""),
        owner=owner if owner in OWNERS else "",
        only_problems=query.get("problem") == "1",
        reader_id=user.pk,
        tenants=tenant_ids(user),
    )
