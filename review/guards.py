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
from django.views.decorators.http import require_POST, require_safe

from conversations.access import visible
from conversations.models import Conversation
from review import passes
from review.access import may_open_console, may_see_conversation

View = Callable[..., HttpResponseBase]


def staff_page(view: View) -> View:
    """A page or fragment that only reads; `view` is given the request and who asks. Browsers keep no copy.

    A conversation (`conversation_id` of its address) that is not of the user's tenants is not there.
    """

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        response: HttpResponseBase
        if not isinstance(user, User):
            response = _to_login(request)
        elif not may_open_console(user):
            response = render(request, "review/forbidden.html", status=403)
        elif "conversation_id" in kwargs and not may_see_conversation(user, kwargs["conversation_id"]):
            raise Http404
        else:
            response = view(request, user, **kwargs)
        add_never_cache_headers(response)
        return response

    guarded_for_reading: View = require_safe(guarded)
    return guarded_for_reading


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


def _to_login(request: HttpRequest) -> HttpResponse:
    """A fragment cannot show a login page: it sends the whole page there, and back afterwards."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = urlencode({"next": f"{page.path}?{page.query}" if page.query else page.path})
    return HttpResponse(status=401, headers={"HX-Redirect": f"{reverse('admin:login')}?{back}"})
