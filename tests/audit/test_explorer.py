"""The pages on which auditors read the trail."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.canonical import GENESIS, canonical
from audit.models import ActorKind, AuditEntry
from audit.operations import Fact, record
from conversations import configuration
from conversations.models import Agent
from pipeline.engine import breakers
from pipeline.models import Turn
from tests import factories
from tests.admin import site
from tests.audit.chain import NOW, sealed, write

pytestmark = pytest.mark.django_db
LIST = site.list_page(AuditEntry)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.superuser())
    return client


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(factories.user("view_auditentry"))
    return client


def newest() -> AuditEntry:
    return AuditEntry.objects.latest("id")


def listed(client: Client, **query: Any) -> list[int]:
    return [entry.pk for entry in client.get(LIST, query).context["cl"].result_list]


def shown(client: Client, entry: AuditEntry) -> str:
    return client.get(site.page(entry)).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("actor", "maria"),
        ("action", "turn.repl"),
        ("object_type", "turn"),
        ("object_id", "77"),
        ("conversation_id", "5"),
        ("request_id", "req-1"),
        ("turn_id", "77"),
    ],
)
def test_the_list_is_narrowed_by_person_object_conversation_and_request(
    auditor: Client, field: str, value: str
) -> None:
    write(3)
    ids = {"conversation_id": 5, "request_id": "req-1", "turn_id": 77}
    fact = Fact(
        action="turn.replied",
        object_type="turn",
        object_id=77,
        actor_kind=ActorKind.PERSON,
        actor="maria",
        ids=ids,
    )
    record(fact, now=NOW)
    lookup = "startswith" if field == "action" else "exact"

    assert listed(auditor, **{f"{field}__{lookup}": value}) == [newest().pk]
    assert len(listed(auditor, **{f"{field}__{lookup}": ""})) == 4


def test_the_list_says_each_entry_as_a_sentence_with_its_place_in_the_chain(auditor: Client) -> None:
    sealed(1)
    write(1, action="event.conflict")

    page = auditor.get(LIST).content.decode()

    assert "ana requeued event 0: late" in page
    assert "# 1" in page
    assert "not yet" in page


def test_the_list_asks_as_often_for_many_entries_as_for_few(auditor: Client) -> None:
    sealed(5)
    few = queries(auditor, LIST)
    sealed(45)

    assert queries(auditor, LIST) == few <= 8


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as asked:
        client.get(address)
    return len(asked)


def test_a_page_links_to_the_record_while_it_exists(auditor: Client) -> None:
    event = factories.event()
    for number in (event.pk, 999_999):
        fact = Fact(
            action="event.requeued", object_type="event", object_id=number, ids={"conversation_id": number}
        )
        record(fact, now=NOW)
    there, gone = AuditEntry.objects.order_by("id")

    assert f'href="{site.page(event)}"' in shown(auditor, there)
    assert "processedevent/999999" not in shown(auditor, gone)


def test_a_page_about_a_changed_record_shows_what_was_changed(auditor: Client) -> None:
    agent = factories.agent(model="first-model")
    configure(agent, model="second-model")
    entry = newest()
    configure(agent, model="third-model")

    page = shown(auditor, entry)

    assert "first-model" in page
    assert "second-model" in page
    assert "third-model" not in page
    assert f"/history/{entry.details['history_id']}/" in page


def test_a_page_about_a_breaker_shows_what_was_changed(auditor: Client) -> None:
    factories.breaker(name="model")
    breakers.trip(name="model", by="ana", reason="maintenance", now=NOW)

    assert "maintenance" in shown(auditor, newest())


def test_a_page_shows_its_seal(auditor: Client) -> None:
    sealed(1)

    assert AuditEntry.objects.get().seal.hash in shown(auditor, newest())


def test_a_turn_shows_the_configuration_in_force_and_what_differs_today(staff: Client) -> None:
    turn = factories.turn()
    agent = turn.conversation.channel.agent
    configure(agent, prompt_template="Be kind.\nBe brief.", model="model-then")
    Turn.objects.update(policy_version=agent.history.first().history_id)

    assert "It is the same today." in staff.get(site.page(turn)).content.decode()

    configure(agent, prompt_template="Be kind.\nBe exact.", model="model-today")
    page = staff.get(site.page(turn)).content.decode()
    for mark, text in (
        ("before", "model-then"),
        ("after", "model-today"),
        ("before", "Be brief."),
        ("after", "Be exact."),
    ):
        assert f'zupa-{mark}">{text}<' in page
    assert "<span>Be kind.</span>" in page


def configure(agent: Agent, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(agent, name, value)
    configuration.save_configuration(agent, by=factories.user(), now=timezone.now())


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
class TestExports:
    def test_json_lines_hold_all_that_the_chain_hashes(self, auditor: Client) -> None:
        sealed(3)
        write(1)

        lines = [json.loads(line) for line in export(auditor, "jsonl").splitlines()]

        previous = GENESIS
        for line in lines[:3]:
            hash_ = line.pop("hash")
            assert hashlib.sha256(canonical(line | {"previous": previous})).hexdigest() == hash_
            previous = hash_
        assert lines[3]["hash"] is None

    def test_csv_has_a_row_an_entry_and_no_formulas(self, auditor: Client) -> None:
        write(2, reason="=1+1")  # and the export itself is the third

        header, *rows = csv.reader(io.StringIO(export(auditor, "csv")))

        assert header[:4] == ["sequence", "hash", "sealed_at", "id"]
        assert len(rows) == 3
        assert "'=1+1" in rows[0]
        assert '{"n":0}' in rows[0]

    def test_only_what_the_list_shows_is_exported(
        self, auditor: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("audit.exports.CHUNK", 2)
        write(5)
        write(5, actor="bob")

        lines = export(auditor, "jsonl", actor__exact="bob").splitlines()

        assert [json.loads(line)["entry"]["actor"] for line in lines] == ["bob"] * 5

    def test_an_export_is_audited(self, auditor: Client) -> None:
        write(2)

        export(auditor, "csv", actor__exact="ana")

        entry = newest()
        assert (entry.action, entry.object_id) == ("audit.exported", "csv")
        assert entry.details == {"filters": {"actor__exact": "ana"}}

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_whoever_may_not_read_the_trail_may_not_export_it(self, client: Client, form: str) -> None:
        client.force_login(factories.user())

        assert client.get(f"{LIST}export.{form}").status_code == 403
        assert not AuditEntry.objects.exists()


def export(client: Client, form: str, **query: Any) -> str:
    response = client.get(f"{LIST}export.{form}", query)
    assert response.status_code == 200
    assert f".{form}" in response["Content-Disposition"]
    return b"".join(response).decode()
