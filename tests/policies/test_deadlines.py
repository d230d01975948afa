"""No external call exists without an explicit deadline: by the ports, by the settings, by the source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from pipeline import ports
from pipeline.agents import registry
from pipeline.phases import CLOSING_PHASES, PHASES, Phase
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.deadlines import DEADLINES
from pipeline.policies.errors import Code
from pipeline.summaries import write_pending
from tests import factories
from tests.engine_room import Room
from tests.policies.test_errors import shorten
from zupa_site.environment import CHECKOUT

OUTSIDE = {
    "ModelProvider.complete": "journalled with CALLS[Call.MODEL].attempt_s; the client's own timeout is the same",
    "Tools.call": "journalled with the tool's own timeout_s",
    "Sender.send": "under CALLS[Call.SEND].attempt_s; the client's own timeout is the same",
    "Journal.perform": "runs an effect under its deadline_s",
}
INSIDE = {
    "Store.suspend": "one unit of database work, which gives up after database.OUTAGE_S",
    "Store.commit": "within the persistence phase's deadline",
    "Store.absorb": "within the turn's deadline",
    "Store.postpone": "one unit of database work, which gives up after database.OUTAGE_S",
    "Store.set_aside": "one unit of database work, which gives up after database.OUTAGE_S",
    "Controls.in_force": "one unit of database work, which gives up after database.OUTAGE_S",
}
"""How each asynchronous method of a port is bounded."""


def test_every_asynchronous_method_of_a_port_has_a_known_bound() -> None:
    assert set(port_methods()) == {*OUTSIDE, *INSIDE}


def port_methods() -> Iterator[str]:
    for name, port in inspect.getmembers(ports, inspect.isclass):
        if Protocol in port.__bases__:
            for method, function in inspect.getmembers(port, inspect.iscoroutinefunction):
                if getattr(function, "__module__", "") == ports.__name__:
                    yield f"{name}.{method}"


def test_every_kind_of_call_has_a_policy_that_makes_sense() -> None:
    assert set(CALLS) == set(Call)
    for policy in CALLS.values():
        assert 0 < policy.connect_s <= policy.attempt_s <= policy.retry.total_s
        assert policy.retry.attempts >= 1
        assert 0 < policy.retry.base_s <= policy.retry.max_s


@pytest.mark.parametrize("phase", [*PHASES, *CLOSING_PHASES], ids=lambda phase: phase.name)
def test_every_phase_has_a_deadline_within_the_turns(phase: Phase) -> None:
    assert 0 < phase.deadline_s <= DEADLINES.turn_s


def test_every_tool_has_a_deadline_within_its_phase() -> None:
    assert registry.names()
    for name in registry.names():
        tool = registry.get(name)
        assert tool is not None
        assert 0 < tool.timeout_s < DEADLINES.loop_s


CLIENTS = {
    "AsyncClient",
    "Client",
    "AsyncOpenAI",
    "OpenAI",
    "DefaultAioHttpClient",
    "DefaultAsyncHttpxClient",
    "ClientSession",
    "urlopen",
}
VERBS = {"get", "post", "put", "patch", "delete", "head", "request", "stream"}
APPS = ("audit", "conversations", "pipeline", "review", "zupa_site")


def test_no_http_client_is_made_without_a_timeout() -> None:
    found = [(where, call) for where in sources() for call in client_calls(where)]
    assert found, "nothing was looked at"
    for where, call in found:
        given = {keyword.arg for keyword in call.keywords}
        assert "timeout" in given, f"{where}:{call.lineno}"


def test_vendors_client_never_retries_by_itself() -> None:
    for where in sources():
        for call in client_calls(where):
            if name_of(call).endswith("OpenAI"):
                retries = next(each.value for each in call.keywords if each.arg == "max_retries")
                assert isinstance(retries, ast.Constant)
                assert retries.value == 0


def sources() -> Iterator[Path]:
    """All that runs in production: the simulator is the outside world."""
    for app in APPS:
        for path in (CHECKOUT / app).rglob("*.py"):
            if "simulator" not in path.parts:
                yield path


def client_calls(path: Path) -> list[ast.Call]:
    """Where a client is made, or a call made without one."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if is_client(call)]


def is_client(call: ast.Call) -> bool:
    name = name_of(call)
    module, _, last = name.rpartition(".")
    return last in CLIENTS or (module in {"httpx2", "httpx", "requests"} and last in VERBS)


def name_of(call: ast.Call) -> str:
    with suppress(ValueError):
        return ast.unparse(call.func)
    return ""


def test_model_that_never_answers_ends_as_a_timeout(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch, Call.MODEL)
    room.fault("llm", "hang")
    (key,) = room.say("Hello")
    room.work()
    assert room.outcome(key) == ("failed", Code.MODEL_TIMEOUT)


def test_platform_that_never_answers_leaves_the_send_unknown(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, Call.SEND)
    room.fault("whatsapp", "hang")
    room.say("Hello")
    room.work()
    (reply,) = room.outbox()
    assert (reply.delivery, reply.error_code) == ("unknown", Code.SEND_UNANSWERED)


def test_model_that_never_answers_leaves_the_summary_for_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, Call.SUMMARY)
    conversation = factories.conversation(channel=room.channel)
    closed = factories.session(
        conversation=conversation,
        ended_at=conversation.created_at,
        end_reason="idle",
        summary_status="pending",
    )
    factories.message(conversation=conversation, session=closed)
    room.fault("llm", "hang")
    assert write_pending() == 0
    closed.refresh_from_db()
    assert closed.summary_status == "pending"


def quick(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """The same policy with a shorter breath: one try of 0.3 s."""
    shorten(monkeypatch, call, attempt_s=0.3)
    once: Any = replace(CALLS[call], retry=replace(CALLS[call].retry, attempts=1))
    monkeypatch.setitem(CALLS, call, once)
