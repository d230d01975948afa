"""Pages that explain what the code declares say all of it, and nothing that is not there."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.db.models import TextChoices

from audit.sentences import SENTENCES
from conversations.models import Delivery
from pipeline.models import BreakerState, EventStatus, Outcome, StepStatus, TurnStatus
from pipeline.policies.errors import Code
from review.models import ReviewDecision, ReviewKind

DOCS = Path(__file__).resolve().parents[2] / "docs"


def first_cells(text: str) -> list[str]:
    """What stands in code quotes in the first cell of each table row."""
    return re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)


def section(text: str, heading: str) -> str:
    _, _, rest = text.partition(heading)
    return rest.split("\n## ")[0]


def names(enum: Iterable[str]) -> list[str]:
    return [str(getattr(member, "value", member)) for member in enum]


def test_every_error_code_is_explained_once() -> None:
    assert sorted(first_cells((DOCS / "errors.md").read_text())) == sorted(names(Code))


@pytest.mark.parametrize("enum", [EventStatus, Outcome, TurnStatus, StepStatus, Delivery, BreakerState])
def test_every_state_is_explained_in_its_order(enum: type[TextChoices]) -> None:
    module = "conversations" if enum is Delivery else "pipeline"
    page = section((DOCS / "states.md").read_text(), f"(`{module}.models.{enum.__name__}`)")
    assert first_cells(page) == enum.values


@pytest.mark.parametrize("enum", [ReviewKind, ReviewDecision])
def test_review_page_explains_every_kind_and_decision_in_its_order(enum: type[TextChoices]) -> None:
    page = section((DOCS / "review.md").read_text(), f"(`review.models.{enum.__name__}`)")
    assert first_cells(page) == enum.values


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", (DOCS / "adr" / "README.md").read_text())
    assert listed == sorted(page.name for page in (DOCS / "adr").glob("0*.md"))


def test_every_action_of_the_trail_is_listed() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", (DOCS / "audit.md").read_text(), flags=re.MULTILINE)
    listed = [f"{kind}.{verb}" for kind, verbs in rows for verb in re.findall(r"`([a-z_]+)`", verbs)]
    assert sorted(listed) == sorted(SENTENCES)
