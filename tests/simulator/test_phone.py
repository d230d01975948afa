"""The phone in the browser, from behind: its page, its live feed, its read receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.simulator.world import Outside, Zupa, eventually

ANA = {"channel": "whatsapp-demo", "from": "+5511999990001"}
Event = dict[str, Any]


@pytest.fixture
def feed(outside: Outside) -> Iterator[Iterator[Event]]:
    with outside.client.stream("GET", "/phone/feed", params=ANA) as response:
        yield events(response)


def events(response: httpx2.Response) -> Iterator[Event]:
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_the_page_needs_nothing_from_elsewhere(outside: Outside) -> None:
    page = outside.client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert 'data-testid="composer"' in page.text
    for name in ("phone.css", "phone.js", "chat.js", "faults.js", "hand.js", "people.js", "texts.js"):
        assert outside.client.get(f"/phone/{name}").status_code == 200


def test_the_page_learns_the_channels_it_can_write_to_and_no_secret(outside: Outside) -> None:
    assert outside.get("/phone/channels") == [
        {"slug": "whatsapp-demo", "kind": "whatsapp_cloud", "title": "whatsapp-demo"},
        {"slug": "http-demo", "kind": "http", "title": "http-demo"},
        {"slug": "waha-demo", "kind": "waha", "title": "waha-demo"},
    ]


def test_an_answer_arrives_live_and_its_reading_is_reported(
    outside: Outside, zupa: Zupa, feed: Iterator[Event]
) -> None:
    assert next(feed) == {"type": "snapshot", "messages": []}
    message_id = outside.send_text("good morning")
    shown = next(feed)["message"]
    assert (shown["id"], shown["direction"], shown["text"]) == (message_id, "in", "good morning")
    assert outside.control("/phone/read", {**ANA, "ids": [message_id]}) == {"read": [message_id]}
    assert outside.control("/phone/read", {**ANA, "ids": [message_id]}) == {"read": []}
    eventually(lambda: "read" in [each["status"] for each in zupa.statuses()])


def test_ones_own_message_is_sent_then_read_while_an_answer_is_written(
    outside: Outside, feed: Iterator[Event]
) -> None:
    next(feed)
    message_id = outside.control("/_sim/inbound", {**ANA, "text": "oi"})["id"]
    assert [next(feed)["message"]["state"] for _ in range(2)] == ["sending", "sent"]
    outside.graph({"status": "read", "message_id": message_id, "typing_indicator": {"type": "text"}})
    assert next(feed)["message"]["state"] == "read"
    assert next(feed) == {"type": "typing"}


def test_a_refused_message_is_failed_with_the_reason_and_can_be_sent_again(
    outside: Outside, zupa: Zupa, feed: Iterator[Event]
) -> None:
    next(feed)
    zupa.answers = [503]
    message_id = outside.control("/_sim/inbound", {**ANA, "text": "oi"})["id"]
    assert next(feed)["message"]["state"] == "sending"
    failed = next(feed)["message"]
    assert (failed["state"], failed["detail"][:3]) == ("failed", "503")
    outside.control("/_sim/inbound", {**ANA, "text": "oi", "id": message_id})
    assert [next(feed)["message"]["state"] for _ in range(2)] == ["sending", "sent"]


def test_a_phone_opened_later_shows_what_was_said_and_a_reset_empties_it(outside: Outside) -> None:
    outside.control("/_sim/inbound", {**ANA, "text": "oi"})
    outside.send_text("olá")
    with outside.client.stream("GET", "/phone/feed", params=ANA) as response:
        feed = events(response)
        assert [each["text"] for each in next(feed)["messages"]] == ["oi", "olá"]
        outside.control("/_sim/reset", {})
        assert next(feed) == {"type": "snapshot", "messages": []}


def test_each_phone_sees_only_its_own_chat(outside: Outside, feed: Iterator[Event]) -> None:
    next(feed)
    outside.send_text("for another", to="5511999990002")
    outside.send_text("for Ana")
    assert next(feed)["message"]["text"] == "for Ana"
