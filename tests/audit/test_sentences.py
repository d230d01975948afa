"""Each action of the code base reads as a sentence."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.utils import translation

from audit.models import ActorKind, AuditEntry
from audit.records import audited, object_type_of
from audit.sentences import OBJECTS, SENTENCES, sentence
from audit.staff.base import ReadOnlyAdmin
from pipeline.ingress.turned_away import AT_THE_DOOR
from pipeline.models import BreakerState, Outcome
from review.models import ReviewDecision

ROOT = Path(__file__).resolve().parents[2]
APPS = ("audit", "conversations", "pipeline", "review", "zupa_site")
ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
MAKERS = ("Fact", "leave_evidence")
PAGES = [pages for pages in admin.site._registry.values() if isinstance(pages, ReadOnlyAdmin)]
COMPOSED = {
    "{kind}.read": [f"{object_type_of(pages.model)}.read" for pages in PAGES if pages.discloses],
    "{kind}.searched": [f"{object_type_of(pages.model)}.searched" for pages in PAGES if pages.words],
    "turn.{decision.outcome}": [f"turn.{outcome}" for outcome in Outcome.values],
    "intake.{outcome}": [f"intake.{outcome}" for outcome in AT_THE_DOOR],
    "breaker.{state}": [f"breaker.{state}" for state in BreakerState.values],
    "review_item.{status}": ["review_item.settled", "review_item.superseded"],
    "message.{end}": ["message.failed", "message.unknown"],
    "review_item.{verdict.decision}": [f"review_item.{decision}" for decision in ReviewDecision.values],
    "staff_scope.{verb}": [f"staff_scope.{verb}" for verb in ("narrowed", "lifted")],
    "{kind}.{verb}": [
        ".".join(pair)
        for pair in product(
            ("account", "agent", "cannedreply", "channel", "group", "tenant"), ("added", "changed", "deleted")
        )
    ],
}
"""Actions that are put together, and all that can come of it."""
WITHOUT_ACTOR = ("event.conflict", "login.failed", "review_item.expired")


def writers() -> Iterator[ast.Module]:
    """Every module that writes evidence."""
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            tree = ast.parse(path.read_text())
            if any(isinstance(node, ast.Call) and called(node) in MAKERS for node in ast.walk(tree)):
                yield tree


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def arguments(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not ast.unparse(node.func).startswith("logger."):
            handed = [keyword.value for keyword in node.keywords if keyword.arg in ("action", "object_type")]
            for argument in (*node.args, *handed):
                yield from (
                    (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,)
                )


def actions() -> Iterator[str]:
    """What stands as an action where facts are made, or is handed to a function that makes them."""
    for tree in writers():
        for argument in arguments(tree):
            if isinstance(argument, ast.Constant) and ACTION.fullmatch(str(argument.value)):
                yield str(argument.value)
            elif isinstance(argument, ast.JoinedStr) and ACTION.fullmatch(
                re.sub(r"\{.*?\}", "x", text := ast.unparse(argument)[2:-1])
            ):
                yield from COMPOSED[text]


def object_types() -> set[str]:
    return {
        str(keyword.value.value)
        for tree in writers()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "object_type" and isinstance(keyword.value, ast.Constant)
    }


def entry(**fields: object) -> AuditEntry:
    return AuditEntry(
        **{
            "actor_kind": ActorKind.PERSON,
            "actor": "maria",
            "action": "event.requeued",
            "object_type": "event",
            "object_id": "12",
        }
        | fields
    )


def test_every_action_has_a_sentence_and_every_sentence_an_action() -> None:
    assert set(actions()) == set(SENTENCES)


def test_every_object_has_a_name_and_a_record() -> None:
    found = object_types() - {"audit"}

    assert found <= set(OBJECTS)
    assert found <= set(audited())
    assert all(apps.get_model(model._meta.label) for model in audited().values())


@pytest.mark.parametrize("action", sorted(SENTENCES))
def test_every_sentence_can_be_said(action: str) -> None:
    said = sentence(entry(action=action, details={"fields": ["model", "language"]}))

    assert "%" not in said
    assert "maria" in said or action in WITHOUT_ACTOR


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": "the model was down"}, "maria requeued event 12: the model was down"),
        (
            {
                "actor_kind": ActorKind.AGENT,
                "actor": "Ana",
                "action": "turn.replied",
                "object_type": "turn",
                "object_id": "3f2a7d10-0000-4000-8000-000000000000",
            },
            "Ana (agent) answered turn 3f2a7d10",
        ),
        (
            {"action": "agent.changed", "object_type": "agent", "details": {"fields": ["model", "language"]}},
            "maria changed model and language of agent 12",
        ),
        (
            {
                "action": "channel.changed",
                "object_type": "channel",
                "details": {"fields": ["api_url", "credentials.app_secret", "fax"]},
            },
            "maria changed API address, credentials (app_secret) and fax of channel 12",
        ),
        (
            {
                "actor_kind": ActorKind.SYSTEM,
                "actor": "",
                "action": "message.failed",
                "object_type": "message",
                "reason": "send.recipient",
            },
            "The engine gave up sending message 12: send.recipient",
        ),
        (
            {"action": "card.shuffled", "object_type": "card_deck", "object_id": "x"},
            "maria did “card.shuffled” to card deck x",
        ),
    ],
)
def test_an_entry_reads_as_a_sentence(fields: dict[str, object], said: str) -> None:
    with translation.override("en"):
        assert sentence(entry(**fields)) == said
