"""The generic channel's far end: signed, and once per webhook-id."""

from __future__ import annotations

import time

import pytest

from tests.simulator.world import Json, Outside

MESSAGE: Json = {"id": "out-1", "to": "maria", "type": "text", "text": "hi"}


def test_a_signed_message_is_accepted_and_recorded(outside: Outside) -> None:
    response = outside.post_signed(MESSAGE)
    assert response.status_code == 200
    (sent,) = outside.get("/_sim/sent?channel=http-demo&to=maria")
    assert (sent["id"], sent["client_ref"], sent["text"]) == (response.json()["id"], "out-1", "hi")


def test_a_second_delivery_is_answered_as_a_duplicate_and_recorded_once(outside: Outside) -> None:
    first = outside.post_signed(MESSAGE)
    second = outside.post_signed(MESSAGE)
    assert second.json() == {"id": first.json()["id"], "duplicate": True}
    assert len(outside.get("/_sim/sent")) == 1
    assert outside.get("/_sim/calls?target=http")["counts"] == {"http": 2}


@pytest.mark.parametrize("age_s", [-600, 600])
def test_a_stale_timestamp_is_refused(outside: Outside, age_s: int) -> None:
    response = outside.post_signed(MESSAGE, at=time.time() + age_s)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_signature")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "a", "webhook-timestamp": "soon", "webhook-signature": "v1,x"},
        {"webhook-id": "a", "webhook-timestamp": "9" * 400, "webhook-signature": "v1,x"},
        {"webhook-id": "a", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA v2,B"},
    ],
)
def test_a_bad_signature_is_refused_whatever_its_form(outside: Outside, headers: dict[str, str]) -> None:
    response = outside.client.post("/http/http-demo/messages", json=MESSAGE, headers=headers)
    assert response.status_code == 401
    assert outside.get("/_sim/sent") == []


@pytest.mark.parametrize("body", [{}, {"id": "1", "to": ""}, {"id": "1", "to": "x", "text": 3}])
def test_a_signed_but_bad_message_is_told_what_is_wrong(outside: Outside, body: Json) -> None:
    response = outside.post_signed(body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("slug", ["whatsapp-demo", "nobody"])
def test_only_an_http_channel_takes_messages(outside: Outside, slug: str) -> None:
    assert outside.client.post(f"/http/{slug}/messages", json=MESSAGE).status_code == 404


def test_a_disconnect_after_accept_is_settled_by_sending_again(outside: Outside) -> None:
    outside.control("/_sim/faults", {"target": "http", "mode": "disconnect_after_accept", "count": 1})
    with pytest.raises(Exception, match="disconnected"):
        outside.post_signed(MESSAGE)
    assert outside.post_signed(MESSAGE).json()["duplicate"] is True
    assert len(outside.get("/_sim/sent")) == 1
