"""/_sim: the record, the channels, the settings, the reset."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.world import Outside, Zupa


def test_sent_is_filtered_by_channel_and_recipient_and_limited_to_the_last(outside: Outside) -> None:
    for number in range(3):
        outside.send_text(f"message {number}", to="5511999990001")
    outside.send_text("to someone else", to="5511999990002")
    outside.post_signed({"id": "1", "to": "maria", "text": "by http"})

    def texts(query: str) -> list[str]:
        return [each["text"] for each in outside.get(f"/_sim/sent?{query}")]

    assert len(texts("")) == 5
    assert texts("channel=http-demo") == ["by http"]
    assert texts("to=%2B5511999990002") == ["to someone else"]
    assert texts("to=5511999990001&limit=2") == ["message 1", "message 2"]
    assert texts("limit=0") == []


def test_calls_are_counted_and_listed_per_target(outside: Outside) -> None:
    outside.chat("hi")
    outside.send_text("hi")
    seen = outside.get("/_sim/calls")
    assert seen["counts"] == {"llm": 1, "whatsapp": 1}
    assert seen["in_flight"] == {"llm": 0, "whatsapp": 0}
    assert seen["peak_in_flight"] == {"llm": 1, "whatsapp": 1}
    (call,) = outside.get("/_sim/calls?target=llm")["calls"]
    assert (call["target"], call["path"], call["status"]) == ("llm", "/v1/chat/completions", 200)
    assert (call["duration_s"] >= 0, call["fault"]) == (True, None)


def test_a_reset_forgets_all_but_channels_and_settings(outside: Outside, zupa: Zupa) -> None:
    outside.control("/_sim/settings", {"statuses": "sent"})
    outside.control("/_sim/faults", {"target": "llm", "mode": "error"})
    zupa.answers = [503] * 5
    outside.send_text("hi")
    outside.control("/_sim/reset", {})
    assert outside.get("/_sim/sent") == []
    assert outside.get("/_sim/faults") == {"faults": []}
    assert outside.get("/_sim/calls")["counts"] == {}
    assert len(outside.get("/_sim/channels")["channels"]) == 4
    assert outside.get("/_sim/settings")["statuses"] == "sent"


def test_a_channel_is_replaced_by_its_slug(outside: Outside) -> None:
    channel = outside.get("/_sim/channels")["channels"][0]
    listed = outside.control("/_sim/channels", [{**channel, "phone_number_id": "3003"}])["channels"]
    assert [each["slug"] for each in listed].count(channel["slug"]) == 1
    body = {"to": "5511999990001", "type": "text", "text": {"body": "hi"}}
    assert outside.graph(body, phone_number_id="3003").status_code == 200
    assert outside.graph(body).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/_sim/channels", {}, "the channels must be a JSON list"),
        ("POST", "/_sim/channels", [3], "a channel must be a JSON object"),
        ("POST", "/_sim/channels", [{"slug": "x", "kind": "http"}], "`webhook_url` is required"),
        (
            "POST",
            "/_sim/channels",
            [{"slug": "x", "kind": "http", "webhook_url": "u", "signing_secret": "whsec_?"}],
            "`whsec_` followed by base64",
        ),
        ("POST", "/_sim/settings", {"statuses": "all"}, "`statuses` must be one of: off, sent"),
        ("POST", "/_sim/status", {"id": "nobody", "status": "read"}, "`id` must be the id of a message"),
        ("GET", "/_sim/calls?target=fax", None, "`target` must be one of"),
        ("GET", "/_sim/sent?limit=-1", None, "`limit` must be a whole number"),
        ("GET", "/phone/feed?channel=nobody&from=1", None, "`channel` must be the slug"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(
    outside: Outside, method: str, path: str, body: Any, says: str
) -> None:
    response = outside.client.request(method, path, json=body)
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]
