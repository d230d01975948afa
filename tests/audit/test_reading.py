"""Whoever opens a page that shows what people said leaves an entry, and nothing shows it without one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from audit.models import AuditEntry
from audit.sentences import sentence
from audit.staff.base import ReadOnlyAdmin
from conversations.models import Conversation, Message, Note, Session
from pipeline.models import ProcessedEvent, Step
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db

PHRASE = "quinces and medlars"
DISCLOSING = [
    model
    for model, pages in admin.site._registry.items()
    if isinstance(pages, ReadOnlyAdmin) and pages.discloses
]


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(factories.superuser())
    return client


def made(model: type[Model]) -> Any:
    """A record whose words, and those of all around it, are the phrase."""
    record = site.make(model)
    if isinstance(record, Conversation):
        factories.message(conversation=record)
    said = {"type": "text", "text": PHRASE, "media": {}, "provider_id": "x", "raw": {"text": PHRASE}}
    Message.objects.update(text=PHRASE)
    Step.objects.update(request={"messages": [PHRASE]}, response={"text": PHRASE})
    ProcessedEvent.objects.update(payload=said)
    Note.objects.update(text=PHRASE)
    Session.objects.update(summary=PHRASE, summary_status="written")
    return record


def entries() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.filter(action__endswith=".read").values_list("action", "object_id"))


@pytest.mark.parametrize("model", site.MODELS)
def test_no_page_shows_what_was_said_without_an_entry_and_no_list_shows_it(
    reader: Client, model: type[Model]
) -> None:
    record = made(model)

    assert PHRASE not in reader.get(site.list_page(model)).content.decode()
    assert entries() == []
    if PHRASE in reader.get(site.page(record)).content.decode():
        assert len(entries()) == 1


@pytest.mark.parametrize("model", DISCLOSING)
def test_each_opening_is_told_with_the_reader_and_whose_words_they_were(
    reader: Client, model: type[Model]
) -> None:
    record = made(model)
    conversation = _conversation(record)
    for _twice in range(2):
        assert PHRASE in reader.get(site.page(record)).content.decode()

    first, second = AuditEntry.objects.filter(action__endswith=".read")
    assert first.object_id == second.object_id == str(record.pk)
    assert first.actor_kind == "person"
    assert (first.tenant_id, first.conversation_id) == (str(conversation.tenant_id), str(conversation.pk))
    assert first.request_id
    assert f"{first.actor} read" in sentence(first)


def _conversation(record: Any) -> Any:
    if isinstance(record, Step):
        record = record.turn
    return getattr(record, "conversation", record)


@pytest.mark.parametrize(
    ("term", "told"), [("quince", [{"name": "quince", "count": 1}]), ("number", []), ("", [])]
)
def test_a_search_in_what_was_said_is_told_with_its_words(
    reader: Client, term: str, told: list[dict[str, Any]]
) -> None:
    message = made(Message)
    reader.get(site.list_page(Message), {"q": str(message.pk) if term == "number" else term})

    searches = AuditEntry.objects.filter(action="message.searched")
    assert [entry.details for entry in searches] == told


def test_who_may_not_read_leaves_no_entry(client: Client) -> None:
    client.force_login(factories.user())
    assert client.get(site.page(made(Message))).status_code == 403

    assert entries() == []
