"""What probes and monitoring are told, also when the database is away."""

import json
import socket
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings
from django.utils import timezone

from pipeline.health.readiness import readiness
from pipeline.models import Outcome
from tests import factories

# The readiness checks run in a thread, and so on a connection of their own.
seen_by_all = pytest.mark.django_db(transaction=True)


def test_live_answers_without_a_database(client: Client) -> None:
    assert client.get("/health/live").status_code == 200


@seen_by_all
def test_ready_with_a_worker_and_a_young_queue(client: Client) -> None:
    factories.worker()
    factories.event()

    response = client.get("/health/ready")

    assert response.status_code == 200
    body = response.json()
    assert body["ready"] is True
    assert set(body) == {"ready", "checks"}
    assert set(body["checks"]) == {"database", "migrations", "worker", "queue"}
    assert all(set(check) == {"ok", "detail"} and check["ok"] for check in body["checks"].values())


@seen_by_all
def test_not_ready_without_a_worker(client: Client) -> None:
    factories.worker(seen_at=timezone.now() - timedelta(seconds=16))

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["checks"]["worker"] == {
        "ok": False,
        "detail": "none alive: run `python manage.py worker`",
    }


@seen_by_all
def test_not_ready_while_the_oldest_message_is_late(client: Client) -> None:
    factories.worker()
    factories.event(received_at=timezone.now() - timedelta(seconds=61))

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert not response.json()["checks"]["queue"]["ok"]


@seen_by_all
def test_not_ready_with_a_migration_missing(client: Client) -> None:
    factories.worker()
    recorder = MigrationRecorder(connections["default"])
    recorder.record_unapplied("audit", "0002_append_only")
    try:
        checks = client.get("/health/ready").json()["checks"]
    finally:
        recorder.record_applied("audit", "0002_append_only")

    assert checks["migrations"] == {"ok": False, "detail": "1 not applied: run `python manage.py migrate`"}


@pytest.mark.django_db
def test_a_database_that_is_away_is_named_without_a_traceback(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings["default"], "HOST", "/nowhere")

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["checks"]["database"] == {"ok": False, "detail": "does not answer"}


@pytest.mark.django_db
def test_a_database_that_hangs_does_not_hold_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setitem(connections.settings["default"], "HOST", "127.0.0.1")
        monkeypatch.setitem(connections.settings["default"], "PORT", str(silent.getsockname()[1]))

        answer = readiness(timezone.now(), within_s=0.3)

    assert answer.checks["database"].detail == "no answer within 0.3 s"
    assert not answer.ready


@pytest.mark.django_db
def test_metrics_name_the_queue_outcomes_and_workers(client: Client) -> None:
    factories.worker()
    factories.event()
    factories.event(outcome="replied")
    factories.review_item()

    response = client.get("/metrics")

    lines = response.content.decode().splitlines()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "zupa_queue_pending 1" in lines
    assert 'zupa_outcomes_today{outcome="replied"} 1' in lines
    assert 'zupa_workers_alive{kind="executor"} 1' in lines
    assert {"zupa_reviews_open 1", "zupa_reviews_overdue_seconds 0.0"} <= set(lines)
    assert all(line.startswith(("# ", "zupa_")) for line in lines)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("secret", {}, 401),
        ("secret", {"authorization": "Bearer wrong"}, 401),
        ("secret", {"authorization": "Bearer secret"}, 200),
        (None, {"authorization": "Bearer "}, 401),
        (None, {"authorization": "Bearer None"}, 401),
    ],
)
def test_metrics_from_afar_need_the_token(
    client: Client, settings: Any, token: str | None, headers: dict[str, str], status: int
) -> None:
    with override_settings(ZUPA=replace(settings.ZUPA, metrics_token=token)):
        assert client.get("/metrics", REMOTE_ADDR="203.0.113.7", headers=headers).status_code == status


@pytest.mark.django_db
def test_a_proxy_on_the_same_machine_is_not_taken_for_the_machine(client: Client) -> None:
    assert client.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"}).status_code == 401


@pytest.mark.django_db
def test_status_prints_the_object_of_the_contract() -> None:
    factories.worker()
    factories.event()
    factories.event(outcome="replied")
    factories.outbound(delivery="unknown")
    factories.breaker(name="openai:chat", state="open")
    printed = StringIO()

    call_command("status", "--json", stdout=printed)

    status = json.loads(printed.getvalue())
    assert set(status) == {
        "queue", "outcomes", "events", "outbox", "reviews_open", "breakers", "switches", "problems", "workers"
    }  # fmt: skip
    assert set(status["queue"]) == {"pending", "oldest_age_s", "in_flight"}
    assert status["outcomes"] == dict.fromkeys(Outcome.values, 0) | {"replied": 1}
    assert status["events"] == {"total": 2, "without_outcome": 1}
    assert status["outbox"]["unknown"] == 1
    assert (status["reviews_open"], status["switches"]) == (0, [])
    assert status["breakers"] == {"openai:chat": "open"}
    assert [problem["subject"] for problem in status["problems"]] == ["breakers"]
    assert status["workers"][0]["kind"] == "executor"


@pytest.mark.django_db
def test_status_for_people_says_what_is_wrong_first() -> None:
    factories.event()
    printed = StringIO()

    call_command("status", stdout=printed, no_color=True)

    lines = printed.getvalue().splitlines()
    assert lines[0] == "! No worker is alive: 1 message waits."
    assert any(line.startswith("queue     1 pending") for line in lines)
