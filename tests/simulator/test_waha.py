"""WAHA as the simulator plays it: sends that come back, acks, replies by hand, and a session that can fail."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from tests.simulator.world import HMAC_KEY, Json, Outside, Zupa, eventually

CHAT = "5511999990001@c.us"
HELLO: Json = {"channel": "waha-demo", "from": "+5511999990001", "name": "Ana", "text": "olá"}


def test_customers_text_comes_as_a_signed_event(outside: Outside, zupa: Zupa) -> None:
    answer = outside.control("/_sim/inbound", HELLO)
    (webhook,) = zupa.received
    digest = hmac.new(HMAC_KEY.encode(), webhook.raw, hashlib.sha512).hexdigest()
    assert webhook.headers["x-webhook-hmac"] == digest
    body = webhook.body
    assert (webhook.path, body["event"], body["session"]) == ("/waha", "message", "waha-demo")
    payload = body["payload"]
    assert (payload["id"], payload["from"], payload["fromMe"]) == (answer["id"], CHAT, False)
    assert (payload["body"], payload["_data"]["notifyName"]) == ("olá", "Ana")


def test_copies_are_the_same_bytes(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/inbound", {**HELLO, "copies": 3})
    assert (len(zupa.received), len({webhook.raw for webhook in zupa.received})) == (3, 1)


def test_customers_photo_can_be_fetched_with_the_key(outside: Outside, zupa: Zupa) -> None:
    media = {"type": "image", "data": "cGl4ZWxz", "caption": "look"}
    outside.control("/_sim/inbound", {"channel": "waha-demo", "from": "99@lid", "media": media})
    (payload,) = zupa.told("message")
    assert (payload["from"], payload["hasMedia"], payload["body"]) == ("99@lid", True, "look")
    path = payload["media"]["url"].partition("/waha/api/")[2]
    assert outside.waha(path).content == b"pixels"
    assert outside.waha(path, key="").status_code == 401


def test_any_other_kind_can_be_written_raw(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/inbound", {**HELLO, "raw": {"from": "1203630@g.us"}})
    assert zupa.told("message")[0]["from"] == "1203630@g.us"


def test_accepted_text_comes_back_before_its_acks(outside: Outside, zupa: Zupa) -> None:
    message_id = outside.waha_text("hi")
    (sent,) = outside.get("/_sim/sent?channel=waha-demo")
    assert (sent["id"], sent["to"], sent["text"]) == (message_id, CHAT, "hi")
    eventually(lambda: len(zupa.told("message.ack")) == 2)
    assert [each.body["event"] for each in zupa.received] == ["message.any", "message.ack", "message.ack"]
    (echo,) = zupa.told("message.any")
    assert (echo["id"], echo["fromMe"], echo["source"]) == (message_id, True, "api")
    assert [ack["ack"] for ack in zupa.told("message.ack")] == [1, 2]


@pytest.mark.parametrize(("status", "level"), [("failed", -1), ("read", 3), ("played", 4)])
def test_any_ack_can_be_asked_for(outside: Outside, zupa: Zupa, status: str, level: int) -> None:
    outside.control("/_sim/settings", {"statuses": "off"})
    message_id = outside.waha_text("hi")
    outside.control("/_sim/status", {"id": message_id, "status": status})
    eventually(lambda: [ack["ack"] for ack in zupa.told("message.ack")] == [level])


def test_reply_by_hand_is_told_as_the_phones_and_seen_by_the_customer(outside: Outside, zupa: Zupa) -> None:
    reply = {"channel": "waha-demo", "to": "5511999990001", "text": "one moment", "copies": 2}
    answer = outside.control("/_sim/hand-reply", reply)
    assert [each["status"] for each in answer["answers"]] == [200, 200]
    first, second = zupa.told("message.any")
    assert first == second
    assert (first["id"], first["to"], first["source"]) == (answer["id"], CHAT, "app")
    assert (first["fromMe"], first["body"]) == (True, "one moment")
    assert outside.get("/_sim/sent") == []


def test_session_is_stopped_started_and_tells_each_state(outside: Outside, zupa: Zupa) -> None:
    assert outside.waha("sessions/waha-demo").json()["status"] == "WORKING"
    assert outside.waha("sessions/waha-demo/stop", {}).json()["status"] == "STOPPED"
    refused = outside.waha("sendText", {"session": "waha-demo", "chatId": CHAT, "text": "hi"})
    assert (refused.status_code, refused.json()["expected"]) == (422, ["WORKING"])
    outside.waha("sessions/waha-demo/start", {})
    assert [each["status"] for each in zupa.told("session.status")] == ["STOPPED", "STARTING", "WORKING"]
    assert outside.waha_text("hi")


def test_session_can_fail_by_itself_and_a_reset_mends_it(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/session", {"channel": "waha-demo", "state": "FAILED"})
    assert zupa.told("session.status") == [{"name": "waha-demo", "status": "FAILED"}]
    outside.control("/_sim/reset", {})
    assert outside.waha("sessions/waha-demo").json()["status"] == "WORKING"


def test_customers_message_is_marked_as_seen(outside: Outside) -> None:
    sent = outside.control("/_sim/inbound", HELLO)
    body = {"session": "waha-demo", "chatId": CHAT, "messageId": sent["id"]}
    assert outside.waha("sendSeen", body).status_code == 201


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"session": "waha-demo", "chatId": CHAT, "text": "hi"}, "", 401),
        ({"session": "nobody", "chatId": CHAT, "text": "hi"}, "k", 404),
        ({"session": "http-demo", "chatId": CHAT, "text": "hi"}, "k", 404),
        ({"session": "waha-demo", "chatId": "5511999990001", "text": "hi"}, "k", 422),
        ({"session": "waha-demo", "chatId": CHAT}, "k", 422),
        ([], "k", 422),
    ],
)
def test_bad_calls_are_refused(outside: Outside, body: Any, key: str, status: int) -> None:
    assert outside.waha("sendText", body, key=key).status_code == status
    assert outside.get("/_sim/sent") == []


def test_key_of_the_channel_alone_is_let_in_once_it_is_known(outside: Outside) -> None:
    (channel,) = [each for each in outside.get("/_sim/channels")["channels"] if each["kind"] == "waha"]
    outside.control("/_sim/channels", [{**channel, "api_key": "right"}])
    assert outside.waha("sessions/waha-demo", key="wrong").status_code == 401
    assert outside.waha("sessions/waha-demo", key="right").status_code == 200


def test_faults_fall_on_waha_and_its_calls_are_counted(outside: Outside) -> None:
    outside.control("/_sim/faults", {"target": "waha", "mode": "error", "status": 503, "count": 1})
    body = {"session": "waha-demo", "chatId": CHAT, "text": "hi"}
    assert outside.waha("sendText", body).status_code == 503
    assert outside.waha("sendText", body).status_code == 201
    assert outside.get("/_sim/calls?target=waha")["counts"] == {"waha": 2}


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/_sim/hand-reply", {"channel": "whatsapp-demo", "to": "1", "text": "x"}, "must be a WAHA channel"),
        ("/_sim/hand-reply", {"channel": "waha-demo", "to": "1"}, "`text` must be"),
        ("/_sim/session", {"channel": "waha-demo", "state": "TIRED"}, "`state` must be one of"),
    ],
)
def test_bad_input_is_told_what_to_do(outside: Outside, path: str, body: Json, says: str) -> None:
    response = outside.client.post(path, json=body)
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]
