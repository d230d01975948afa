"""What a conversation leaves to people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from review.models import APPROVALS, ReviewItem, ReviewKind, ReviewStatus

MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReview:
    id: int
    kind: str
    due_at: datetime

    @property
    def kind_label(self) -> str:
        return str(ReviewKind(self.kind).label)

    @property
    def is_awaited(self) -> bool:
        """The conversation's turn goes on when this is decided."""
        return self.kind in APPROVALS


def open_reviews(conversation_id: int) -> Sequence[OpenReview]:
    """Oldest first."""
    items = ReviewItem.objects.filter(conversation_id=conversation_id, status=ReviewStatus.OPEN)
    rows = items.order_by("id").values_list("id", "kind", "due_at")[:MOST]
    return [OpenReview(id=pk, kind=kind, due_at=due_at) for pk, kind, due_at in rows]
