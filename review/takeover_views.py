"""What people do on a conversation's page: take over, hand back, write, note, attach; and the fragments for it."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations import attachments, writing
from conversations.attachments import AttachmentRefusedError
from conversations.models import Attachment
from conversations.ownership import OwnerChangedError
from conversations.serving import file_response
from conversations.writing import NotWrittenError, Words
from pipeline import takeover
from pipeline.takeover import Way
from review import passes
from review.access import ADD_NOTE, TAKE_OVER
from review.guards import conversation_act, conversation_page
from review.queries.standing import standing

LATE = 409
REFUSED = 422
LONGEST_REASON = 500
LONGEST_SEARCH = 40


@conversation_page
def standing_fragment(request: HttpRequest, conversation_id: int, reading_pass: str) -> HttpResponse:
    return render(request, "review/standing.html", _standing(request, conversation_id))


@conversation_page
def canned(request: HttpRequest, conversation_id: int, reading_pass: str) -> HttpResponse:
    search = request.GET.get("q", "").replace("\0", "")[:LONGEST_SEARCH]
    return render(request, "review/canned.html", {"replies": writing.canned_replies(conversation_id, search)})


@conversation_page
def attachment(
    request: HttpRequest, conversation_id: int, reading_pass: str, attachment_id: UUID
) -> HttpResponseBase:
    found = Attachment.objects.filter(conversation_id=conversation_id, pk=attachment_id).first()
    if found is None:
        raise Http404
    return file_response(found)


@conversation_act(TAKE_OVER)
def take_over(request: HttpRequest, user: User, conversation_id: int) -> HttpResponse:
    reason = _reason(request)
    if not reason:
        return _refused(request, _("Say why you take it over."))
    try:
        takeover.take_over(
            conversation_id, by=user, reason=reason, owner_epoch=_epoch(request), now=timezone.now()
        )
    except OwnerChangedError as error:
        return _acted(request, conversation_id, problem=str(error))
    return _acted(request, conversation_id)


@conversation_act(TAKE_OVER)
def hand_back(request: HttpRequest, user: User, conversation_id: int) -> HttpResponse:
    way, reason = request.POST.get("way", ""), _reason(request)
    if way not in list(Way) or not reason:
        return _refused(request, _("Say how you hand it back, and why."))
    try:
        takeover.hand_back(
            conversation_id,
            way=Way(way),
            note=_text(request, "note"),
            by=user,
            reason=reason,
            owner_epoch=_epoch(request),
            now=timezone.now(),
        )
    except OwnerChangedError as error:
        return _acted(request, conversation_id, problem=str(error))
    except NotWrittenError as error:
        return _refused(request, str(error))
    return _acted(request, conversation_id)


@conversation_act(TAKE_OVER)
def say(request: HttpRequest, user: User, conversation_id: int) -> HttpResponse:
    """Answers with the next message's key; the page keeps what was typed unless it was said."""
    try:
        words = Words(
            key=UUID(request.POST.get("key", "")),
            text=_text(request, "text"),
            attachment_id=_uuid(request, "attachment"),
        )
        takeover.say(conversation_id, words, by=user, owner_epoch=_epoch(request), now=timezone.now())
    except OwnerChangedError as error:
        return _written(request, problem=str(error), status=LATE)
    except NotWrittenError as error:
        return _written(request, problem=str(error), status=REFUSED)
    except ValueError:
        return _written(request, problem=_("Reload the page, then try again."), status=REFUSED)
    return _written(request, event="zupa:said")


@conversation_act(ADD_NOTE, TAKE_OVER)
def note(request: HttpRequest, user: User, conversation_id: int) -> HttpResponse:
    for_agent = request.POST.get("for_agent") == "1"
    try:
        writing.note(
            conversation_id, _text(request, "text"), by=user, now=timezone.now(), for_agent=for_agent
        )
    except NotWrittenError as error:
        return _written(request, problem=str(error), status=REFUSED)
    return _written(request, event="zupa:noted")


@conversation_act(TAKE_OVER)
def attach(request: HttpRequest, user: User, conversation_id: int) -> HttpResponse:
    upload = request.FILES.get("file")
    try:
        if upload is None:
            raise AttachmentRefusedError(_("Choose one file of at most 100 MB."))
        kept = attachments.keep(conversation_id, upload, by=user, now=timezone.now())
    except AttachmentRefusedError as error:
        return render(request, "review/attached.html", {"problem": str(error)}, status=REFUSED)
    return render(request, "review/attached.html", {"attachment": kept})


def _acted(request: HttpRequest, conversation_id: int, *, problem: str = "") -> HttpResponse:
    """The banner as it is now; with a problem it was too late."""
    context = _standing(request, conversation_id) | {"problem": problem}
    return render(request, "review/acted.html", context, status=LATE if problem else 200)


def _refused(request: HttpRequest, problem: str) -> HttpResponse:
    """The form stays as it was filled in."""
    response = render(request, "review/problem.html", {"problem": problem}, status=REFUSED)
    response.headers["HX-Reswap"] = "none"
    return response


def _written(request: HttpRequest, *, problem: str = "", status: int = 200, event: str = "") -> HttpResponse:
    context = {"problem": problem, "key": uuid4()}
    response = render(request, "review/written.html", context, status=status)
    if event:
        response.headers["HX-Trigger"] = event
    return response


def _standing(request: HttpRequest, conversation_id: int) -> dict[str, Any]:
    user = request.user
    assert isinstance(user, User)  # checked by the guards
    return {
        "standing": standing(conversation_id, reader=user, now=timezone.now()),
        "reading_pass": request.GET.get("pass") or passes.issue(conversation_id, user.pk),
    }


def _text(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()


def _reason(request: HttpRequest) -> str:
    return _text(request, "reason")[:LONGEST_REASON]


def _epoch(request: HttpRequest) -> int:
    """-1 for what is none: no conversation has it, so that whoever sends it is told what is the case."""
    text = request.POST.get("owner_epoch", "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else -1


def _uuid(request: HttpRequest, name: str) -> UUID | None:
    """Raises `ValueError`."""
    text = request.POST.get(name, "")
    return UUID(text) if text else None
