"""One review item: its page, what of it is refreshed, and what reviewers do with it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.live import conversation_topic
from review import decisions, given, inbox_pane, passes
from review.access import may_open_console
from review.decisions import InvalidError, LateError, Verdict
from review.guards import item_act, item_fragment, item_page
from review.models import ReviewDecision, ReviewItem
from review.operations import open_conversation
from review.proposals import PREFIX, composed
from review.queries import item as items
from review.queries import transcript as transcripts

LATE = 409
REFUSED = 422
DONE = {
    ReviewDecision.APPROVE: gettext_lazy("Approved: %(contact)s"),
    ReviewDecision.EDIT: gettext_lazy("Approved with changes: %(contact)s"),
    ReviewDecision.REJECT: gettext_lazy("Rejected: %(contact)s"),
    ReviewDecision.ANSWER: gettext_lazy("Your answer goes out: %(contact)s"),
    ReviewDecision.REQUEUE: gettext_lazy("It is tried again: %(contact)s"),
    ReviewDecision.MARK_DELIVERED: gettext_lazy("Marked as delivered: %(contact)s"),
    ReviewDecision.SEND_AGAIN: gettext_lazy("It is sent again: %(contact)s"),
    ReviewDecision.DISMISS: gettext_lazy("Dismissed: %(contact)s"),
}


@item_page
def item(request: HttpRequest, user: User, found: ReviewItem) -> HttpResponse:
    """Opening an item is reading its conversation, and recorded as such."""
    now = timezone.now()
    header = open_conversation(found.conversation_id, by=user, now=now)
    reading_pass = passes.issue(found.conversation_id, user.pk)
    context = {
        "shown": items.shown(found, reader=user),
        "header": header,
        "transcript": transcripts.latest(found.conversation_id, now=now) if may_open_console(user) else None,
        "topic": conversation_topic(found.conversation_id),
        "longest_text": given.LONGEST_TEXT,
    }
    listed = inbox_pane.list_pane(request, user) | {"selected": found.pk}
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
        return _acted(request, user, found, reading_pass, str(late), LATE)
    return _acted(request, user, found, reading_pass)


@item_act
def release(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    decisions.release(found.pk, by=user, now=timezone.now())
    return _acted(request, user, found, reading_pass)


@item_act
def decide(request: HttpRequest, user: User, found: ReviewItem, reading_pass: str) -> HttpResponse:
    """Leads to the next item, or to the conversation that is one's own now.

    Where it was refused, what was typed stays and the page says why.
    """
    try:
        verdict = _verdict(request.POST, found, user)
        decisions.decide(found.pk, verdict, by=user, now=timezone.now())
    except LateError as late:
        return _acted(request, user, found, reading_pass, str(late), LATE)
    except InvalidError as invalid:
        return _acted(request, user, found, reading_pass, str(invalid), REFUSED)
    if verdict.decision is ReviewDecision.TAKE_OVER:
        there = reverse("review:conversation", args=[found.conversation_id])
        return HttpResponse(headers={"HX-Redirect": there})
    contact = found.conversation.contact
    messages.success(request, DONE[verdict.decision] % {"contact": contact.name or contact.address})
    return inbox_pane.to_next(request, user, found.pk)


def _standing(found: ReviewItem, user: User, reading_pass: str) -> dict[str, Any]:
    now = timezone.now()
    return {
        "standing": items.standing(found, reader=user, now=now),
        "item": found,
        "now": now,
        "reading_pass": reading_pass,
    }


def _acted(
    request: HttpRequest,
    user: User,
    found: ReviewItem,
    reading_pass: str,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    """Where it stands now, and why nothing was done if so."""
    context = _standing(items.find(found.pk, reader=user), user, reading_pass)
    return render(request, "review/inbox/acted.html", context | {"problem": problem}, status=status)


def _verdict(sent: QueryDict, found: ReviewItem, user: User) -> Verdict:
    """Raises `InvalidError`."""
    wanted = decision(sent)
    if wanted not in items.offered(found.kind, user):
        raise InvalidError(_("This cannot be decided so."))
    is_changed_call = wanted is ReviewDecision.EDIT and "tool" in found.proposal
    filled_in = {name: given.text(sent, name) for name in sent if name.startswith(PREFIX)}
    written = given.text(sent, "arguments")
    return Verdict(
        decision=wanted,
        fingerprint=sent.get("fingerprint", ""),
        reason=given.reason(sent),
        text=given.text(sent, "text"),
        arguments=composed(found.proposal, filled_in, written) if is_changed_call else "",
    )


def decision(sent: QueryDict) -> ReviewDecision:
    try:
        return ReviewDecision(sent.get("decision", ""))
    except ValueError as error:
        raise InvalidError(_("This cannot be decided so.")) from error
