"""The API around the webhooks: doors, errors of one shape, correlation, documentation."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from pipeline.models import ProcessedEvent
from tests import factories
from tests.ingress.answers import Answer, event, receipt, refusal
from tests.ingress.platforms import Meta, OwnSystem, text_message

CHALLENGE = {"hub.mode": "subscribe", "hub.verify_token": "a-verify-token", "hub.challenge": "1158201444"}


def got(path: str, query: dict[str, str] | None = None, *, method: str = "get") -> Answer:
    response = getattr(Client(), method)(path, query or {})
    return Answer.of(response.status_code, response.items(), response.content)


def test_subscription_is_answered_with_the_bare_challenge(meta: Meta) -> None:
    answer = got(meta.url, CHALLENGE)
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "another"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "é\x00😀"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
    ],
)
def test_subscription_with_a_wrong_token_is_refused(meta: Meta, change: dict[str, str]) -> None:
    assert refusal(got(meta.url, CHALLENGE | change), 403)["code"] == "subscription_refused"


def test_subscription_to_a_channel_without_a_token_is_refused(db: None) -> None:
    bare = Meta(factories.channel(credentials={"app_secret": "s", "verify_token": "", "access_token": "a"}))
    assert refusal(got(bare.url, CHALLENGE | {"hub.verify_token": ""}), 403)


def test_unknown_and_switched_off_channels_are_not_there(meta: Meta, own_system: OwnSystem) -> None:
    meta.channel.is_active = own_system.channel.is_active = False
    meta.channel.save()
    own_system.channel.save()
    assert refusal(meta.say(text_message()), 404)["code"] == "unknown_channel"
    assert refusal(own_system.say(), 404)["code"] == "unknown_channel"
    assert refusal(got(meta.url, CHALLENGE), 404)["code"] == "unknown_channel"
    assert refusal(got("/api/webhooks/whatsapp/never-was", CHALLENGE), 404)["code"] == "unknown_channel"
    assert not ProcessedEvent.objects.exists()


def test_channel_answers_only_at_the_door_of_its_kind(meta: Meta) -> None:
    assert refusal(got(f"/api/webhooks/http/{meta.channel.slug}", method="post"), 404)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/api/webhooks/", "/api/webhooks/whatsapp/a/b"])
def test_unknown_path_is_answered_in_the_shape_of_every_error(path: str) -> None:
    assert refusal(got(path), 404)["code"] == "not_found"


def test_wrong_method_is_answered_in_the_shape_of_every_error(meta: Meta) -> None:
    answer = got(meta.url, method="put")
    assert refusal(answer, 405)["code"] == "method_not_allowed"
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}


def test_foreign_host_is_answered_in_the_shape_of_every_error() -> None:
    response = Client(headers={"Host": "elsewhere.example"}).get("/api/webhooks/")
    assert refusal(Answer.of(response.status_code, response.items(), response.content), 400)


def test_request_id_is_honoured_returned_and_stays_with_the_event(meta: Meta) -> None:
    answer = meta.say(text_message(), **{"X-Request-ID": "abc-123.4:5_6"})
    assert receipt(answer) == (1, 0, 0)
    assert answer.headers["x-request-id"] == "abc-123.4:5_6"
    assert event().request_id == "abc-123.4:5_6"


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "<script>", "é"])
def test_request_id_that_is_none_is_replaced(meta: Meta, given: str) -> None:
    answer = meta.say(text_message(), **{"X-Request-ID": given})
    assert answer.headers["x-request-id"] not in ("", given)
    assert event().request_id == answer.headers["x-request-id"]


def test_documentation_is_open_and_complete() -> None:
    assert b"/api/openapi.json" in got("/api/docs").body
    schema = json.loads(got("/api/openapi.json").body)
    assert {
        "/api/webhooks/whatsapp/{slug}",
        "/api/webhooks/http/{slug}",
        "/api/webhooks/waha/{slug}",
    } <= set(schema["paths"])
    answers = schema["paths"]["/api/webhooks/whatsapp/{slug}"]["post"]["responses"]
    assert {"200", "400", "401", "404", "413", "429", "503"} <= set(answers)
