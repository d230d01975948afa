"""What people do with review items: claim one, decide on it. Whoever comes too late gets a plain answer.

A decision is taken under the lock of its conversation: what it rests on cannot change meanwhile, and what changed
before is found. Two who decide at once: one does, the other is told.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import ValidationError

from audit.models import ActorKind
from audit.operations import Fact, record
from audit.records import newest_version
from audit.staff.show import Text
from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Agent, Message
from pipeline import dead_letters, takeover
from pipeline.agents import registry
from pipeline.engine import holds
from pipeline.ports import Ruling
from pipeline.ports import Verdict as Ruled
from review.models import APPROVALS, ReviewDecision, ReviewItem, ReviewKind, ReviewStatus, Risk
from review.topics import REVIEWS

CLAIM = timedelta(minutes=5)
"""How long an item is kept for whoever claimed it."""

_APPROVAL = (
    ReviewDecision.APPROVE,
    ReviewDecision.EDIT,
    ReviewDecision.REJECT,
    ReviewDecision.ANSWER,
    ReviewDecision.TAKE_OVER,
)
OFFERED: Mapping[str, tuple[ReviewDecision, ...]] = {
    ReviewKind.TOOL_APPROVAL: _APPROVAL,
    ReviewKind.REPLY_APPROVAL: _APPROVAL,
    ReviewKind.FAILED_TURN: (ReviewDecision.REQUEUE, ReviewDecision.TAKE_OVER, ReviewDecision.DISMISS),
    ReviewKind.UNKNOWN_SEND: (ReviewDecision.MARK_DELIVERED, ReviewDecision.SEND_AGAIN),
    ReviewKind.PERSON_ASKED: (ReviewDecision.TAKE_OVER, ReviewDecision.DISMISS),
    ReviewKind.POLICY: (ReviewDecision.REQUEUE, ReviewDecision.TAKE_OVER, ReviewDecision.DISMISS),
}
"""What can be decided on each kind."""
NEED_REASON = frozenset(ReviewDecision) - {
    ReviewDecision.APPROVE,
    ReviewDecision.EDIT,
    ReviewDecision.ANSWER,
    ReviewDecision.TAKE_OVER,
}
RULINGS = {
    ReviewDecision.APPROVE: Ruled.APPROVE,
    ReviewDecision.EDIT: Ruled.EDIT,
    ReviewDecision.REJECT: Ruled.REJECT,
    ReviewDecision.ANSWER: Ruled.ANSWER,
}


class LateError(Exception):
    """Somebody or something was faster. The text says who or what, in the reader's language."""


class InvalidError(Exception):
    """The decision cannot be carried out as given. The text says why, in the reader's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`fingerprint` is that of the item as the person saw it. `text` or `arguments` (JSON): what is to be instead."""

    decision: ReviewDecision
    fingerprint: str
    reason: str = ""
    text: str = ""
    arguments: str = ""


def claim(item_id: int, *, by: User, now: datetime) -> ReviewItem:
    """Keep it for this person for `CLAIM`; claiming again keeps it longer, unrecorded. Raises `LateError`."""
    with transaction.atomic():
        was_mine = ReviewItem.objects.filter(pk=item_id, claimed_by=by, claim_expires_at__gt=now).exists()
        free = Q(claimed_by__isnull=True) | Q(claimed_by=by) | Q(claim_expires_at__lte=now)
        claimable = ReviewItem.objects.filter(free, pk=item_id, status=ReviewStatus.OPEN)
        is_mine = claimable.update(claimed_by=by, claim_expires_at=now + CLAIM)
        item = ReviewItem.objects.select_related("claimed_by", "decided_by").get(pk=item_id)
        if is_mine:
            if not was_mine:
                _record(item, "review_item.claimed", by, "", now)
            _announce(item)
            return item
    raise LateError(_lateness(item, by, now) or _("Somebody else was faster."))


@transaction.atomic
def release(item_id: int, *, by: User, now: datetime) -> None:
    """Leave it to others. Idempotent."""
    mine = ReviewItem.objects.filter(pk=item_id, claimed_by=by, status=ReviewStatus.OPEN)
    if mine.update(claimed_by=None, claim_expires_at=None):
        item = ReviewItem.objects.get(pk=item_id)
        _record(item, "review_item.released", by, "", now)
        _announce(item)


def decide(item_id: int, verdict: Verdict, *, by: User, now: datetime) -> ReviewItem:
    """Carry it out. Raises `LateError` when it does not hold any more, `InvalidError` when it cannot be done so.

    What made it late is kept: a proposal that rests on an old configuration is proposed anew.
    """
    item, late = _decide(item_id, verdict, by, now)
    if late:
        raise LateError(late)
    return item


def decide_all(
    item_ids: Sequence[int], verdict: Verdict, *, by: User, now: datetime
) -> tuple[int, list[str]]:
    """The same decision on items that are identical and of low risk; each stands by its own fingerprint.

    Returns the number decided, and why the others were late. Raises `InvalidError` when they are not alike.
    """
    items = list(ReviewItem.objects.filter(pk__in=item_ids).order_by("due_at", "pk"))
    if not are_alike(items):
        raise InvalidError(_("Only identical proposals of low risk can be decided together."))
    late: list[str] = []
    for item in items:
        try:
            decide(item.pk, _for(item, verdict), by=by, now=now)
        except LateError as error:
            late.append(str(error))
    return len(items) - len(late), late


def are_alike(items: Sequence[ReviewItem]) -> bool:
    """Whether these may be decided together."""
    return all(item.risk == Risk.LOW for item in items) and len({item.bulk_key for item in items}) == 1


def _for(item: ReviewItem, verdict: Verdict) -> Verdict:
    return Verdict(decision=verdict.decision, fingerprint=item.fingerprint, reason=verdict.reason)


@transaction.atomic
def _decide(item_id: int, verdict: Verdict, by: User, now: datetime) -> tuple[ReviewItem, str]:
    """The item, and why it was late if it was: raised only after this is committed."""
    item = _locked(item_id)
    _check(item, verdict)
    late = _lateness(item, by, now) or _change(item, verdict, now)
    if late:
        return item, late
    _write(item, verdict, by, now)
    PERFORM[verdict.decision](item, verdict, by, now)
    return item, ""


def _locked(item_id: int) -> ReviewItem:
    """In the order in which all lock: the conversation, its mailbox, the message, the item."""
    conversation_id, message_id = ReviewItem.objects.values_list("conversation_id", "message_id").get(
        pk=item_id
    )
    holds.lock(conversation_id)
    list(Message.objects.select_for_update().filter(pk=message_id).values_list("pk"))
    locked = ReviewItem.objects.select_for_update(of=("self",))
    return locked.select_related("claimed_by", "decided_by").get(pk=item_id)


def _check(item: ReviewItem, verdict: Verdict) -> None:
    if verdict.decision not in OFFERED[item.kind]:
        raise InvalidError(_("This cannot be decided so."))
    if verdict.decision in NEED_REASON and not verdict.reason.strip():
        raise InvalidError(_("Please say why."))
    if verdict.decision is ReviewDecision.EDIT and item.kind == ReviewKind.TOOL_APPROVAL:
        _check_arguments(item.proposal["tool"], verdict.arguments)
    elif verdict.decision in (ReviewDecision.EDIT, ReviewDecision.ANSWER) and not verdict.text.strip():
        raise InvalidError(_("There is nothing to say."))


def _check_arguments(name: str, arguments: str) -> None:
    tool = registry.get(name)
    if tool is None:
        raise InvalidError(_("The tool %(name)s does not exist any more.") % {"name": name})
    try:
        tool.parameters.model_validate_json(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise InvalidError(
            _("These arguments do not fit: %(where)s: %(what)s.") % {"where": where, "what": first["msg"]}
        ) from error


def _lateness(item: ReviewItem, by: User, now: datetime) -> str:
    """Why this person cannot decide on it any more, or not now; empty when they can."""
    if item.status == ReviewStatus.OPEN:
        is_taken = (
            item.claimed_by
            and item.claimed_by != by
            and item.claim_expires_at
            and item.claim_expires_at > now
        )
        return _("%(name)s is deciding on this right now.") % {"name": item.claimed_by} if is_taken else ""
    if item.status == ReviewStatus.DECIDED:
        words = {"name": item.decided_by, "decision": item.get_decision_display()}
        return _("%(name)s decided on this already: %(decision)s.") % words
    return str(LATE[item.status])


LATE: Mapping[str, Text] = {
    ReviewStatus.SUPERSEDED: gettext_lazy(
        "This proposal holds no longer, since its context changed. It was not carried out."
    ),
    ReviewStatus.EXPIRED: gettext_lazy("Nobody decided in time, and the agent's default was carried out."),
    ReviewStatus.SETTLED: gettext_lazy("Nobody has to decide on this any more."),
}


def _change(item: ReviewItem, verdict: Verdict, now: datetime) -> str:
    """What changed since the proposal was made, or since the person saw it; empty when nothing did."""
    if verdict.fingerprint != item.fingerprint:
        return _("This is not the proposal that you saw. Look at it once more.")
    if item.turn_id is None or item.kind not in APPROVALS or verdict.decision is ReviewDecision.TAKE_OVER:
        return ""
    if holds.has_news(item.turn_id, item.step_key):
        return _("The contact wrote again a moment ago: the agent proposes anew.")
    newest = _policy_version(item)
    if newest != item.policy_version:
        holds.start_over(item.turn_id, newest, now=now)
        return _("The agent's configuration was changed since: the agent proposes anew.")
    return ""


def _policy_version(item: ReviewItem) -> int:
    agent_id = item.conversation.channel.agent_id
    newest = Agent.history.filter(id=agent_id).aggregate(newest=Max("history_id"))["newest"]
    return int(newest or 0)


def _write(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    item.status, item.ended_at = ReviewStatus.DECIDED, now
    item.decision, item.decided_by, item.decision_reason = verdict.decision, by, verdict.reason
    item.decided = _decided(item, verdict)
    item._history_user = by  # type: ignore[attr-defined]  # simple-history reads it from here
    item.save()
    _record(item, f"review_item.{verdict.decision}", by, verdict.reason, now)
    _announce(item)


def _decided(item: ReviewItem, verdict: Verdict) -> dict[str, Any] | None:
    if verdict.decision is ReviewDecision.EDIT and item.kind == ReviewKind.TOOL_APPROVAL:
        return {"tool": item.proposal["tool"], "arguments": json.loads(verdict.arguments)}
    return {"text": verdict.text} if verdict.text else None


def _rule(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    assert item.turn_id is not None  # held by a constraint
    ruling = Ruling(
        verdict=RULINGS[verdict.decision],
        by_id=by.pk,
        reason=verdict.reason,
        text=verdict.text,
        arguments=verdict.arguments,
    )
    holds.rule(item.turn_id, item.step_key, ruling, now=now)


def _requeue(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    assert item.turn is not None  # the kinds that offer it come from a turn
    event_ids = list(item.turn.events.values_list("pk", flat=True))
    dead_letters.requeue(event_ids=event_ids, by=by.get_username(), reason=verdict.reason, now=now)


def _mark_delivered(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    message_ids = [item.message_id] if item.message_id else []
    dead_letters.mark_delivered(message_ids=message_ids, by=by.get_username(), reason=verdict.reason, now=now)


def _send_again(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    message_ids = [item.message_id] if item.message_id else []
    dead_letters.send_again(message_ids=message_ids, by=by.get_username(), reason=verdict.reason, now=now)


def _take_over(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    """Under the lock of its conversation, whose owner nobody can change meanwhile."""
    takeover.take_over(
        item.conversation_id,
        by=by,
        reason=verdict.reason or _("From the review inbox"),
        owner_epoch=item.conversation.owner_epoch,
        now=now,
    )


def _dismiss(item: ReviewItem, verdict: Verdict, by: User, now: datetime) -> None:
    """It is written down; nothing else is to be done."""


PERFORM: Mapping[ReviewDecision, Callable[[ReviewItem, Verdict, User, datetime], None]] = {
    ReviewDecision.APPROVE: _rule,
    ReviewDecision.EDIT: _rule,
    ReviewDecision.REJECT: _rule,
    ReviewDecision.ANSWER: _rule,
    ReviewDecision.TAKE_OVER: _take_over,
    ReviewDecision.REQUEUE: _requeue,
    ReviewDecision.MARK_DELIVERED: _mark_delivered,
    ReviewDecision.SEND_AGAIN: _send_again,
    ReviewDecision.DISMISS: _dismiss,
}


def _record(item: ReviewItem, action: str, by: User, reason: str, now: datetime) -> None:
    fact = Fact(
        action=action,
        object_type="review_item",
        object_id=item.pk,
        actor_kind=ActorKind.PERSON,
        actor=by.get_username(),
        reason=reason,
        policy_version=item.policy_version or "",
        details={"kind": item.kind} | newest_version(item),
        ids={
            "tenant_id": item.tenant_id,
            "conversation_id": item.conversation_id,
            "turn_id": item.turn_id or "",
        },
    )
    record(fact, now=now)


def _announce(item: ReviewItem) -> None:
    announce(REVIEWS, DASHBOARD, conversation_topic(item.conversation_id))
