"""The admin's first page: what is wrong, then the figures of this moment."""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from audit.staff.base import EmptyState
from audit.staff.show import Tone, list_address, page_address
from conversations.access import visible
from conversations.models import Channel, Message
from pipeline.admin import tones
from pipeline.admin.hints import first_message_hint
from pipeline.health.figures import Figures, read, scope_of
from pipeline.health.problem import Problem, Subject
from pipeline.health.problems import problems
from pipeline.models import Breaker, HousekeepingRun, Mailbox, Outcome, ProcessedEvent, Switch, Turn, Worker
from review import health

FRAGMENT = "admin/dashboard/fragment.html"
PLACES = {
    Subject.WORKERS: (Worker, ""),
    Subject.WAITING: (ProcessedEvent, "outcome=none"),
    Subject.FAILED_EVENTS: (ProcessedEvent, "outcome=trouble"),
    Subject.UNKNOWN_SENDS: (Message, "delivery__exact=unknown"),
    Subject.FAILED_SENDS: (Message, "delivery__exact=failed"),
    Subject.BREAKERS: (Breaker, "state__exact=open"),
    Subject.CHANNELS: (Channel, ""),
    Subject.SWITCHES: (Switch, "status__exact=active"),
    Subject.APPROVALS: (Switch, "status__exact=pending"),
    Subject.TOOLS: (Worker, ""),
    Subject.HOUSEKEEPING: (HousekeepingRun, ""),
    Subject.SHED: (ProcessedEvent, "outcome=shed"),
    Subject.RATE_LIMITED: (ProcessedEvent, "outcome=rate_limited"),
}
"""Where each problem is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeBar:
    outcome: str
    label: str
    number: int
    percent: str
    tone: Tone
    address: str


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    return context | dashboard(request)


@never_cache
def fragment(request: HttpRequest) -> HttpResponse:
    """What the page fetches anew; whoever is logged out meanwhile is sent to log in, as a whole page."""
    if not admin.site.has_permission(request):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, FRAGMENT, dashboard(request))


def dashboard(request: HttpRequest) -> dict[str, Any]:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    now = timezone.now()
    figures = replace(read(now, scope_of(request.user)), reviews=health.waiting(request.user))
    return {
        "figures": figures,
        "problems": [(problem, _place(problem)) for problem in problems(figures)],
        "reviews": figures.reviews,
        "outcome_bars": outcome_bars(figures.outcomes or {}),
        "places": {subject.value: list_address(*place) for subject, place in PLACES.items()},
        "hint": _hint(figures, request.user),
        "turns_address": list_address(Turn, "status__exact=running"),
        "leases_address": list_address(Mailbox, "state=leased"),
    }


def outcome_bars(outcomes: dict[str, int]) -> list[OutcomeBar]:
    """Only what happened, the most frequent first; each as long as its part of all."""
    total = sum(outcomes.values()) or 1
    ordered = sorted(outcomes.items(), key=lambda item: -item[1])
    return [_bar(Outcome(value), number, total) for value, number in ordered]


def _bar(outcome: Outcome, number: int, total: int) -> OutcomeBar:
    return OutcomeBar(
        outcome=outcome.value,
        label=str(outcome.label),
        number=number,
        percent=f"{100 * number / total:.2f}",
        tone=tones.OUTCOME[outcome],
        address=list_address(ProcessedEvent, f"outcome={outcome.value}"),
    )


def _place(problem: Problem) -> str:
    if problem.subject is Subject.REVIEWS:
        return reverse("review:inbox")
    model, query = PLACES[problem.subject]
    return page_address(model, problem.record) if problem.record else list_address(model, query)


def _hint(figures: Figures, user: User) -> EmptyState | None:
    """What to do where no message has ever been seen."""
    quiet = figures.queue is not None and not figures.outcomes and not figures.queue.pending
    return (
        first_message_hint() if quiet and not visible(ProcessedEvent.objects.all(), user).exists() else None
    )
