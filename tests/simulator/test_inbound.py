"""What the customer writes reaches Zupa as the platform would bring it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.simulator.world import APP_SECRET, BEARER, KEY, Json, Outside, Zupa, eventually

HELLO: Json = {"channel": "whatsapp-demo", "from": "+5511999990001", "name": "Ana", "text": "olá"}


def value(webhook: Any) -> Any:
    return webhook.body["entry"][0]["changes"][0]["value"]


def test_a_text_comes_as_a_signed_webhook_of_meta(outside: Outside, zupa: Zupa) -> None:
    answer = outside.control("/_sim/inbound", HELLO)
    (webhook,) = zupa.received
    digest = hmac.new(APP_SECRET.encode(), webhook.raw, hashlib.sha256).hexdigest()
    assert webhook.headers["x-hub-signature-256"] == f"sha256={digest}"
    assert (webhook.path, value(webhook)["metadata"]["phone_number_id"]) == ("/whatsapp", "1001")
    assert value(webhook)["contacts"] == [{"profile": {"name": "Ana"}, "wa_id": "5511999990001"}]
    (message,) = value(webhook)["messages"]
    assert message["timestamp"].isdigit()
    assert (message["id"], message["from"]) == (answer["id"], "5511999990001")
    assert (message["type"], message["text"]) == ("text", {"body": "olá"})
    assert (answer["status"], answer["body"]) == (200, '{"accepted": 1}')


def test_the_http_channel_comes_as_a_standard_webhook(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/inbound", {**HELLO, "channel": "http-demo", "id": "msg-1", "from": "ana"})
    (webhook,) = zupa.received
    signed = f"msg-1.{webhook.headers['webhook-timestamp']}.".encode() + webhook.raw
    signature = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert webhook.headers["webhook-signature"] == f"v1,{signature}"
    assert webhook.headers["webhook-id"] == "msg-1"
    assert webhook.body == {"id": "msg-1", "from": "ana", "name": "Ana", "type": "text", "text": "olá"}


def test_copies_are_the_same_bytes(outside: Outside, zupa: Zupa) -> None:
    answer = outside.control("/_sim/inbound", {**HELLO, "copies": 3})
    assert [each["status"] for each in answer["answers"]] == [200, 200, 200]
    assert len(zupa.received) == 3
    assert len({webhook.raw for webhook in zupa.received}) == 1


def test_a_refused_message_is_reported_and_not_sent_again_unasked(outside: Outside, zupa: Zupa) -> None:
    zupa.answers = [503]
    assert outside.control("/_sim/inbound", HELLO)["status"] == 503
    assert outside.control("/_sim/inbound", HELLO)["status"] == 200
    assert len(zupa.received) == 2


def test_with_retry_a_refused_message_comes_again(outside: Outside, zupa: Zupa) -> None:
    zupa.answers = [503, 429]
    assert outside.control("/_sim/inbound", {**HELLO, "retry": True})["status"] == 503
    eventually(lambda: len(zupa.received) == 3)
    assert len({webhook.raw for webhook in zupa.received}) == 1


def test_an_unreachable_zupa_is_a_null_status(outside: Outside) -> None:
    nowhere = {
        "slug": "lost",
        "kind": "whatsapp_cloud",
        "webhook_url": "http://127.0.0.1:9/x",
        "app_secret": "s",
        "phone_number_id": "2002",
    }
    outside.control("/_sim/channels", {"channels": [nowhere]})
    answer = outside.control("/_sim/inbound", {**HELLO, "channel": "lost"})
    assert answer["status"] is None
    assert "http://127.0.0.1:9/x" in answer["body"]


def test_a_voice_note_is_media_that_can_be_fetched(outside: Outside, zupa: Zupa) -> None:
    media = {"type": "audio", "simtext": "where is my order"}
    outside.control("/_sim/inbound", {"channel": "whatsapp-demo", "from": "551", "media": media})
    (message,) = value(zupa.received[0])["messages"]
    assert (message["type"], message["audio"]["voice"]) == ("audio", True)
    described = outside.client.get(f"/graph/v23.0/{message['audio']['id']}", headers=BEARER).json()
    assert described["sha256"] == message["audio"]["sha256"]
    sound = outside.client.get(urlsplit(described["url"]).path, headers=BEARER).content
    assert b"SIMTEXT:where is my order\0" in sound


def test_media_on_the_http_channel_come_with_a_link(outside: Outside, zupa: Zupa) -> None:
    media = {"type": "image", "data": base64.b64encode(b"pixels").decode(), "caption": "look"}
    outside.control("/_sim/inbound", {"channel": "http-demo", "from": "ana", "media": media})
    body = zupa.received[0].body
    assert (body["type"], body["text"]) == ("image", "look")
    assert outside.client.get(body["media_url"]).content == b"pixels"


def test_any_other_kind_can_be_written_raw(outside: Outside, zupa: Zupa) -> None:
    raw = {"type": "location", "location": {"latitude": 1, "longitude": 2}}
    outside.control("/_sim/inbound", {"channel": "whatsapp-demo", "from": "551", "raw": raw})
    (message,) = value(zupa.received[0])["messages"]
    assert message["location"] == {"latitude": 1, "longitude": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"channel": "nobody"}, "(whatsapp-demo, http-demo, waha-demo)"),
        ({"channel": "telegram-demo"}, "the slug of a channel the simulator plays"),
        ({"from": ""}, "`from` must be a non-empty string"),
        ({"text": ""}, "`text` must be a non-empty string"),
        ({"copies": 1000}, "`copies` must be a number from 1 to 100"),
        ({"retry": "yes"}, "`retry` must be true or false"),
        ({"media": {"type": "smell"}}, "`media.type` must be one of: audio"),
        ({"media": {"type": "image", "data": "?"}}, "`media.data` must be base64"),
        ({"channel": "http-demo", "raw": {"type": "x"}}, "`raw` is for whatsapp_cloud"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(outside: Outside, zupa: Zupa, change: Json, says: str) -> None:
    response = outside.client.post("/_sim/inbound", json={**HELLO, **change})
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]
    assert zupa.received == []
