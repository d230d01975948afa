"""One review item as a reviewer sees it: what it proposes, why it was held, and what changed since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from conversations.access import visible
from pipeline.admin.configuration import InForce, in_force
from review.access import DECIDE_REVIEW, TAKE_OVER
from review.decisions import OFFERED
from review.models import APPROVALS, ReviewDecision, ReviewItem, ReviewStatus
from review.proposals import Argument, Difference, arguments, as_json, difference
from review.queries.open_reviews import open_reviews

BULK = (ReviewDecision.APPROVE, ReviewDecision.REJECT, ReviewDecision.REQUEUE, ReviewDecision.DISMISS)
"""What can be decided on many items at once: nothing that needs a text of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What may change while somebody looks at an item. `newer`: messages that came in since it was proposed."""

    item: ReviewItem
    is_open: bool
    is_overdue: bool
    claimed_by: str
    is_mine: bool
    may_decide: bool
    newer: Sequence[str]
    configuration: InForce | None
    successor: int | None

    @property
    def is_kept(self) -> bool:
        """Somebody else is deciding on it."""
        return bool(self.claimed_by) and not self.is_mine

    @property
    def has_changed(self) -> bool:
        return bool(self.newer or self.configuration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """`arguments` of a proposed call; `difference` is what the decision changed.

    `before` is the proposal that this one supersedes, and `since_before` how they differ.
    """

    item: ReviewItem
    arguments: Sequence[Argument]
    arguments_json: str
    offered: Sequence[ReviewDecision]
    difference: Difference
    before: ReviewItem | None
    since_before: Difference


def find(item_id: int, *, reader: User) -> ReviewItem:
    """Raises `ReviewItem.DoesNotExist`, also for an item of a tenant that is none of the reader's."""
    related = (
        "tenant",
        "conversation__contact",
        "conversation__channel__agent",
        "claimed_by",
        "decided_by",
        "turn",
        "message",
    )
    found = ReviewItem.objects.select_related(*related).defer("conversation__channel__credentials")
    return visible(found, reader).get(pk=item_id)


def standing(item: ReviewItem, *, reader: User, now: datetime) -> Standing:
    is_open = item.status == ReviewStatus.OPEN
    is_claimed = is_open and item.claim_expires_at is not None and item.claim_expires_at > now
    return Standing(
        item=item,
        is_open=is_open,
        is_overdue=is_open and item.due_at <= now,
        claimed_by=item.claimed_by.get_username() if is_claimed and item.claimed_by else "",
        is_mine=is_claimed and item.claimed_by_id == reader.pk,
        may_decide=reader.has_perm(DECIDE_REVIEW),
        newer=item.context.get("newer", ()),
        configuration=_changed_configuration(item) if is_open else None,
        successor=_successor(item) if item.status == ReviewStatus.SUPERSEDED else None,
    )


def _changed_configuration(item: ReviewItem) -> InForce | None:
    """The one it was proposed under, where the agent has another today."""
    under = in_force(item.policy_version) if item.kind in APPROVALS else None
    return under if under and under.changes != [] else None


def _successor(item: ReviewItem) -> int | None:
    """What stands in its place; where nothing was named, the oldest open proposal of its conversation."""
    if item.superseded_by_id:
        return item.superseded_by_id
    return next((review.id for review in open_reviews(item.conversation_id) if review.id > item.pk), None)


def shown(item: ReviewItem, *, reader: User) -> Shown:
    before = item.supersedes.order_by("-pk").first()
    return Shown(
        item=item,
        arguments=arguments(item.proposal) if "tool" in item.proposal else (),
        arguments_json=as_json(item.proposal),
        offered=offered(item.kind, reader),
        difference=_made_by_decision(item),
        before=before,
        since_before=difference(before.proposal, item.proposal) if before else Difference(),
    )


def _made_by_decision(item: ReviewItem) -> Difference:
    is_edited = item.decided and item.decision == ReviewDecision.EDIT
    return difference(item.proposal, item.decided or {}) if is_edited else Difference()


def offered(kind: str, reader: User) -> list[ReviewDecision]:
    """What this reader can decide on this kind."""
    may_take_over = reader.has_perm(TAKE_OVER)
    return [each for each in OFFERED[kind] if may_take_over or each is not ReviewDecision.TAKE_OVER]
