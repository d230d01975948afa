"""WhatsApp Cloud as Zupa meets it: sends, their answers, their status webhooks, media."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.simulator.world import APP_SECRET, BEARER, PHONE_NUMBER_ID, Json, Outside, Zupa, eventually

TEXT = {"type": "text", "text": {"body": "hi"}}


def test_an_accepted_text_is_on_the_record(outside: Outside) -> None:
    response = outside.graph({"to": "+5511999990001", **TEXT, "biz_opaque_callback_data": "ref-7"})
    body = response.json()
    assert body["contacts"] == [{"input": "+5511999990001", "wa_id": "5511999990001"}]
    (sent,) = outside.get("/_sim/sent")
    assert isinstance(sent.pop("at"), float)
    assert sent == {
        "id": body["messages"][0]["id"],
        "channel": "whatsapp-demo",
        "to": "5511999990001",
        "type": "text",
        "text": "hi",
        "client_ref": "ref-7",
    }


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "image", "image": {"link": "https://x/y.jpg", "caption": "look"}}, "look"),
        ({"type": "document", "document": {"link": "https://x/y.pdf", "filename": "y.pdf"}}, "y.pdf"),
        ({"type": "template", "template": {"name": "hello", "language": {"code": "pt_BR"}}}, "hello"),
        ({"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}, "👍"),
        (
            {
                "type": "interactive",
                "interactive": {"type": "button", "body": {"text": "Yes?"}, "action": {}},
            },
            "Yes?",
        ),
    ],
)
def test_every_kind_zupa_sends_is_accepted(outside: Outside, part: Json, text: str) -> None:
    assert outside.graph({"to": "5511999990001", **part}).status_code == 200
    (sent,) = outside.get("/_sim/sent")
    assert (sent["type"], sent["text"]) == (part["type"], text)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (TEXT, 131008),
        ({"to": "not a number", **TEXT}, 131009),
        ({"to": "5511", "type": "text"}, 131009),
        ({"to": "5511999990001", "type": "text"}, 131008),
        ({"to": "5511999990001", "type": "text", "text": {"body": ""}}, 100),
        ({"to": "5511999990001", "type": "text", "text": {"body": "x" * 4097}}, 100),
        ({"to": "5511999990001", "type": "poll", "poll": {}}, 131051),
        ({"to": "5511999990001", "type": "audio", "audio": {"id": "404"}}, 100),
        ({"to": "5511999990001", "type": "audio", "audio": {}}, 131008),
        ({"to": "5511999990001", "type": "template", "template": {"name": "x"}}, 131008),
        ({"to": "5511999990001", **TEXT, "messaging_product": "sms"}, 100),
        ({"to": "5511999990001", **TEXT, "biz_opaque_callback_data": "x" * 513}, 100),
        ({"status": "read"}, 131008),
        ({"status": "seen", "message_id": "wamid.1"}, 131009),
    ],
)
def test_a_bad_message_is_refused_with_metas_code(outside: Outside, body: Json, code: int) -> None:
    response = outside.graph(body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, code)
    assert error["type"] == "OAuthException"
    assert error["fbtrace_id"]
    assert outside.get("/_sim/sent") == []


def test_an_unknown_number_and_a_missing_token_are_told_apart(outside: Outside) -> None:
    unknown = outside.graph({"to": "5511999990001", **TEXT}, phone_number_id="9999")
    error = unknown.json()["error"]
    assert (unknown.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)
    nobody = outside.client.post(f"/graph/v23.0/{PHONE_NUMBER_ID}/messages", json=TEXT)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, 190)


def test_a_channel_with_an_access_token_lets_only_that_one_in(outside: Outside) -> None:
    channel = next(
        each for each in outside.get("/_sim/channels")["channels"] if each["slug"] == "whatsapp-demo"
    )
    outside.control("/_sim/channels", [{**channel, "access_token": "the-right-one"}])
    response = outside.graph({"to": "5511999990001", **TEXT})
    assert (response.status_code, response.json()["error"]["code"]) == (401, 190)


def test_signed_statuses_follow_in_order_and_carry_the_reference(outside: Outside, zupa: Zupa) -> None:
    message_id = outside.send_text("hi", ref="ref-9")
    eventually(lambda: len(zupa.statuses()) == 2)
    assert [each["status"] for each in zupa.statuses()] == ["sent", "delivered"]
    for status in zupa.statuses():
        assert status["id"] == message_id
        assert status["recipient_id"] == "5511999990001"
        assert status["biz_opaque_callback_data"] == "ref-9"
        assert status["timestamp"].isdigit()
    for webhook in zupa.received:
        digest = hmac.new(APP_SECRET.encode(), webhook.raw, hashlib.sha256).hexdigest()
        assert webhook.headers["x-hub-signature-256"] == f"sha256={digest}"


def test_statuses_go_as_far_as_asked(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/settings", {"statuses": "off"})
    outside.send_text("one")
    outside.control("/_sim/settings", {"statuses": "read"})
    last = outside.send_text("two")
    eventually(lambda: len(zupa.statuses()) == 3)
    assert [(each["id"], each["status"]) for each in zupa.statuses()] == [
        (last, "sent"),
        (last, "delivered"),
        (last, "read"),
    ]


def test_statuses_refused_by_zupa_come_again_in_order(outside: Outside, zupa: Zupa) -> None:
    zupa.answers = [503, 500]
    outside.send_text("hi")
    eventually(lambda: {each["status"] for each in zupa.statuses()} == {"sent", "delivered"})
    names = [each["status"] for each in zupa.statuses()]
    assert names[:3] == ["sent", "sent", "sent"]
    assert names[-1] == "delivered"


def test_many_statuses_share_webhooks_and_none_is_lost(outside: Outside, zupa: Zupa) -> None:
    ids = {outside.send_text(f"message {number}") for number in range(60)}
    eventually(lambda: len(zupa.statuses()) == 120)
    for name in ("sent", "delivered"):
        assert {each["id"] for each in zupa.statuses() if each["status"] == name} == ids
    assert len(zupa.received) < 120


def test_a_status_can_be_sent_by_hand(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/settings", {"statuses": "off"})
    message_id = outside.send_text("hi")
    outside.control("/_sim/status", {"id": message_id, "status": "failed", "code": 131026})
    eventually(lambda: len(zupa.statuses()) == 1)
    (status,) = zupa.statuses()
    assert (status["id"], status["status"]) == (message_id, "failed")
    assert status["errors"] == [{"code": 131026, "title": "Message undeliverable"}]


def test_reading_and_typing_succeed_and_are_no_message(outside: Outside) -> None:
    body = {"status": "read", "message_id": "wamid.1", "typing_indicator": {"type": "text"}}
    assert outside.graph(body).json() == {"success": True}
    assert outside.get("/_sim/sent") == []


def upload(outside: Outside, data: bytes, mime_type: str) -> Any:
    return outside.client.post(
        f"/graph/v23.0/{PHONE_NUMBER_ID}/media",
        data={"messaging_product": "whatsapp", "type": mime_type},
        files={"file": ("note.ogg", data, mime_type)},
        headers=BEARER,
    )


def test_uploaded_media_are_described_fetched_and_sent(outside: Outside) -> None:
    sound = b"OggS SIMTEXT:good morning\0"
    media_id = upload(outside, sound, "audio/ogg").json()["id"]
    described = outside.client.get(f"/graph/v23.0/{media_id}", headers=BEARER).json()
    assert described["sha256"] == hashlib.sha256(sound).hexdigest()
    assert (described["file_size"], described["mime_type"]) == (len(sound), "audio/ogg")
    path = urlsplit(described["url"]).path
    assert outside.client.get(path).status_code == 401
    assert outside.client.get(path, headers=BEARER).content == sound
    assert (
        outside.graph({"to": "5511999990001", "type": "audio", "audio": {"id": media_id}}).status_code == 200
    )
    assert outside.get("/_sim/sent")[0]["text"] == "good morning"


@pytest.mark.parametrize("token", ["x", "1.2.3", "12.99999999999.00", "%F0%9F%A6%8A"])
def test_a_forged_media_link_leads_nowhere(outside: Outside, token: str) -> None:
    assert outside.client.get(f"/graph-media/{token}", headers=BEARER).status_code == 404


def test_media_over_the_limit_are_refused(outside: Outside) -> None:
    response = upload(outside, bytes(5 * 1024 * 1024 + 1), "image/png")
    assert response.json()["error"]["code"] == 131053


def graph_fault(outside: Outside, mode: str, **more: Any) -> None:
    outside.control("/_sim/faults", {"target": "whatsapp", "mode": mode, **more})


def test_faults_speak_as_meta_does(outside: Outside) -> None:
    graph_fault(outside, "rate_limit", count=1, retry_after=3)
    limited = outside.graph({"to": "5511999990001", **TEXT})
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, 130429)
    assert limited.headers["Retry-After"] == "3"
    graph_fault(outside, "error", count=1, code=131047)
    window = outside.graph({"to": "5511999990001", **TEXT})
    assert (window.status_code, window.json()["error"]["code"]) == (400, 131047)
    graph_fault(outside, "error", count=1)
    broken = outside.graph({"to": "5511999990001", **TEXT})
    assert (broken.status_code, broken.json()["error"]["code"]) == (500, 131000)
    assert outside.get("/_sim/sent") == []
