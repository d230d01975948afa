"""Faults on demand: their effect on the world, their number, and that a seed repeats them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.simulator.world import Json, Outside, Zupa, eventually


def add(outside: Outside, mode: str, **more: Any) -> None:
    outside.control("/_sim/faults", {"target": "whatsapp", "mode": mode, **more})


def send(outside: Outside) -> int | None:
    """The answer's status, or None when the connection was closed instead."""
    body = {"to": "5511999990001", "type": "text", "text": {"body": "hi"}}
    try:
        return outside.graph(body).status_code
    except httpx2.TransportError:
        return None


def test_disconnect_after_accept_has_its_whole_effect(outside: Outside, zupa: Zupa) -> None:
    add(outside, "disconnect_after_accept", count=1)
    assert send(outside) is None
    assert len(outside.get("/_sim/sent")) == 1
    eventually(lambda: len(zupa.statuses()) == 2)


@pytest.mark.parametrize("mode", ["disconnect_before_accept", "hang"])
def test_no_effect_without_acceptance(outside: Outside, mode: str) -> None:
    add(outside, mode, count=1, seconds=0)
    assert send(outside) is None
    assert outside.get("/_sim/sent") == []
    (call,) = outside.get("/_sim/calls?target=whatsapp")["calls"]
    assert (call["status"], call["fault"]) == (None, mode)


def test_a_malformed_answer_follows_a_real_effect(outside: Outside) -> None:
    add(outside, "malformed")
    response = outside.graph({"to": "5511999990001", "type": "text", "text": {"body": "hi"}})
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        response.json()
    assert len(outside.get("/_sim/sent")) == 1


def test_a_hang_ends_when_the_client_goes(outside: Outside) -> None:
    add(outside, "hang", count=1)
    with pytest.raises(httpx2.ReadTimeout):
        outside.client.post("/graph/v23.0/1001/messages", json={}, timeout=0.2)
    eventually(lambda: outside.get("/_sim/calls")["in_flight"] == {"whatsapp": 0})


def test_latency_comes_before_another_fault_and_the_effect(outside: Outside) -> None:
    add(outside, "latency", seconds=0.01, count=2)
    add(outside, "error", status=503, count=1)
    assert [send(outside), send(outside)] == [503, 200]
    faults = [call["fault"] for call in outside.get("/_sim/calls")["calls"]]
    assert faults == ["error", "latency"]


def test_count_limits_a_fault_and_the_list_says_how_often_it_fell(outside: Outside) -> None:
    add(outside, "error", count=2)
    assert [send(outside) for _ in range(3)] == [500, 500, 200]
    (listed,) = outside.get("/_sim/faults")["faults"]
    assert listed == {"id": 1, "target": "whatsapp", "mode": "error", "rate": 1.0, "count": 2, "fired": 2}


def test_a_rate_falls_on_the_same_calls_again_under_the_same_seed(outside: Outside) -> None:
    def run(seed: int) -> list[int | None]:
        outside.control("/_sim/reset", {})
        outside.control("/_sim/settings", {"seed": seed})
        add(outside, "error", rate=0.5)
        return [send(outside) for _ in range(24)]

    first = run(1)
    assert set(first) == {200, 500}
    assert run(1) == first
    assert run(2) != first


def test_a_fault_leaves_other_targets_alone_and_goes_when_cleared(outside: Outside) -> None:
    outside.control("/_sim/faults", {"target": "llm", "mode": "error"})
    assert send(outside) == 200
    assert outside.client.delete("/_sim/faults").status_code == 200
    assert outside.ask([{"role": "user", "content": "hi"}]).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "`target` must be one of: llm"),
        ({"target": "fax", "mode": "error"}, "`target` must be one of: llm"),
        ({"target": "llm", "mode": "explode"}, "`mode` must be one of: latency"),
        ({"target": "llm", "mode": "error", "rate": 2}, "`rate` must be a number from 0 to 1"),
        ({"target": "llm", "mode": "error", "rate": "half"}, "`rate` must be a number"),
        ({"target": "llm", "mode": "error", "count": 1.5}, "`count` must be a whole number"),
        ({"target": "llm", "mode": "error", "count": True}, "`count` must be a number"),
        ({"target": "llm", "mode": "error", "status": 200}, "`status` must be a number from 400"),
        ({"target": "llm", "mode": "hang", "seconds": -1}, "`seconds` must be a number from 0"),
        ({"target": "llm", "mode": "hang", "second": 1}, "a fault has no `second`"),
        ({"target": "llm", "mode": "error", "code": []}, "`code` must be the vendor's error code"),
        ([], "the body must be a JSON object"),
    ],
)
def test_a_bad_fault_is_refused_with_what_to_do(outside: Outside, body: Json, says: str) -> None:
    response = outside.client.post("/_sim/faults", json=body)
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]
    assert outside.get("/_sim/faults") == {"faults": []}
