"""The door of the console: staff who may see conversations come in, others are told what to do."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from conversations.access import visible
from conversations.models import Conversation
from review import passes
from review.access import (
    Visitor,
    may_decide,
    may_export,
    may_open_console,
    may_open_inbox,
    may_see_conversation,
)
from review.models import ReviewItem
from review.queries.item import find

View = Callable[..., HttpResponseBase]


def staff_page(view: View) -> View:
    """A page or fragment that only reads; `view` is given the request and who asks. Browsers keep no copy."""
    guarded: View = require_safe(_with_right(view, may_open_console, "review/forbidden.html"))
    return guarded


def conversation_page(view: View) -> View:
    """A fragment of a conversation that was opened before: without its pass the whole page is loaded anew."""

    @wraps(view)
    def guarded(request: HttpRequest, user: User, conversation_id: int, **kwargs: Any) -> HttpResponseBase:
        reading_pass = request.GET.get("pass", "")
        if not passes.is_valid(reading_pass, conversation_id, user.pk):
            return HttpResponse(status=403, headers={"HX-Refresh": "true"})
        try:
            return view(request, conversation_id, reading_pass, **kwargs)
        except Conversation.DoesNotExist as error:
            raise Http404 from error

    return staff_page(guarded)


def conversation_act(*permissions: str) -> Callable[[View], View]:
    """What is done to a conversation by who has one of the permissions; the others get 403, outsiders 404."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, conversation_id: int, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User):
                return _to_login(request)
            if not may_open_console(user) or not any(map(user.has_perm, permissions)):
                return render(request, "review/forbidden.html", status=403)
            if not visible(Conversation.objects.filter(pk=conversation_id), user).exists():
                raise Http404
            return view(request, user, conversation_id, **kwargs)

        guarded_for_acting: View = require_POST(guarded)
        return guarded_for_acting

    return guard


def inbox_page(view: View) -> View:
    """A page or fragment of the review inbox that only reads."""
    guarded: View = require_safe(_with_right(view, may_open_inbox))
    return guarded


def inbox_act(view: View) -> View:
    """What somebody does there who may decide; others get 403."""
    guarded: View = require_POST(_with_right(view, may_decide))
    return guarded


def case_export(view: View) -> View:
    guarded: View = require_safe(_with_right(view, may_export))
    return guarded


def item_page(view: View) -> View:
    """`view` is given the item, if it is one that the reader sees, in place of its number."""
    return inbox_page(_of_item(view))


def item_fragment(view: View) -> View:
    """Of an item that was opened before: without its conversation's pass the whole page is loaded anew."""
    return inbox_page(_of_item(_with_pass(view, _anew)))


def item_act(view: View) -> View:
    """What is done on an item's page. One that is too old is not loaded anew: somebody may have typed there."""
    return inbox_act(_of_item(_with_pass(view, _too_old)))


def _anew(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=403, headers={"HX-Refresh": "true"})


def _too_old(request: HttpRequest) -> HttpResponse:
    problem = _("This page is too old. Copy what you wrote, and load it anew.")
    return render(request, "review/inbox/problem.html", {"problem": problem}, status=422)


def _with_pass(view: View, refuse: Callable[[HttpRequest], HttpResponse]) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, user: User, item: ReviewItem) -> HttpResponseBase:
        reading_pass = request.GET.get("pass", "")
        if not passes.is_valid(reading_pass, item.conversation_id, user.pk):
            return refuse(request)
        return view(request, user, item, reading_pass)

    return guarded


def _with_right(
    view: View, has_right: Callable[[Visitor], bool], refusal: str = "review/inbox/forbidden.html"
) -> View:
    """A conversation (`conversation_id` of the address) that is not of the user's tenants is not there."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        response: HttpResponseBase
        if not isinstance(user, User):
            response = _to_login(request)
        elif not has_right(user):
            response = render(request, refusal, status=403)
        elif "conversation_id" in kwargs and not may_see_conversation(user, kwargs["conversation_id"]):
            raise Http404
        else:
            response = view(request, user, **kwargs)
        add_never_cache_headers(response)
        return response

    return guarded


def _of_item(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, user: User, item_id: int) -> HttpResponseBase:
        try:
            return view(request, user, find(item_id, reader=user))
        except ReviewItem.DoesNotExist as error:
            raise Http404 from error

    return guarded


def _to_login(request: HttpRequest) -> HttpResponse:
    """A fragment cannot show a login page: it sends the whole page there, and back afterwards."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = urlencode({"next": f"{page.path}?{page.query}" if page.query else page.path})
    return HttpResponse(status=401, headers={"HX-Redirect": f"{reverse('admin:login')}?{back}"})
