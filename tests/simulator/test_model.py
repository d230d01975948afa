"""The simulated model, asked over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.world import Json, Outside

TOOLS: list[Json] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("order_status", "request_refund", "opening_hours", "talk_to_a_person")
]


def called(choice: Json) -> list[tuple[str, str]]:
    calls = choice["message"].get("tool_calls") or []
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


def tool_round(text: str, *results: str) -> list[Json]:
    """A conversation whose tool calls have just been answered."""
    call = {"id": "c1", "type": "function", "function": {"name": "x", "arguments": "{}"}}
    told = [{"role": "tool", "tool_call_id": "c1", "content": result} for result in results]
    return [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": text},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        *told,
    ]


@pytest.mark.parametrize(
    "text", ["hello", "olá, tudo bem?", "{braces} “quotes” 🦊", "two\nlines", "<b>&amp;"]
)
def test_any_text_is_answered_with_a_reply_that_contains_it(outside: Outside, text: str) -> None:
    assert text in outside.chat(text)["message"]["content"]


def test_the_same_conversation_gets_the_same_answer(outside: Outside) -> None:
    first = outside.ask([{"role": "user", "content": "hello"}]).json()
    second = outside.ask([{"role": "user", "content": "hello"}]).json()
    assert (first["id"], first["choices"]) == (second["id"], second["choices"])


def test_all_user_messages_since_the_last_answer_are_one_turn(outside: Outside) -> None:
    messages: list[Json] = [
        {"role": "user", "content": "long ago"},
        {"role": "assistant", "content": "answered"},
        {"role": "user", "content": "first part"},
        {"role": "user", "content": [{"type": "text", "text": "second part"}]},
    ]
    content = outside.ask(messages).json()["choices"][0]["message"]["content"]
    assert "first part" in content
    assert "second part" in content
    assert "long ago" not in content


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("Where is my order 1001?", "order_status", {"order_id": "1001"}),
        ("Cadê meu pedido #77?", "order_status", {"order_id": "77"}),
        ("My package AB-1234 is late", "order_status", {"order_id": "AB-1234"}),
        (
            "Refund order 1002, please",
            "request_refund",
            {"order_id": "1002", "reason": "Refund order 1002, please"},
        ),
        (
            "Quero o reembolso do pedido 1003",
            "request_refund",
            {"order_id": "1003", "reason": "Quero o reembolso do pedido 1003"},
        ),
        ("What are your opening hours?", "opening_hours", {}),
        ("Qual é o horário de vocês?", "opening_hours", {}),
        ("I want to talk to a person", "talk_to_a_person", {"reason": "I want to talk to a person"}),
        ("Quero falar com uma pessoa", "talk_to_a_person", {"reason": "Quero falar com uma pessoa"}),
    ],
)
def test_a_question_of_the_shop_calls_its_tool(
    outside: Outside, text: str, tool: str, arguments: dict[str, Any]
) -> None:
    choice = outside.chat(text, tools=TOOLS)
    ((name, written),) = called(choice)
    assert (name, json.loads(written), choice["finish_reason"]) == (tool, arguments, "tool_calls")


def test_a_question_without_an_order_number_is_asked_for_it_and_then_understood(outside: Outside) -> None:
    asked = outside.chat("I want a refund", tools=TOOLS)
    assert "order number" in asked["message"]["content"]
    messages: list[Json] = [
        {"role": "user", "content": "I want a refund"},
        {"role": "assistant", "content": asked["message"]["content"]},
        {"role": "user", "content": "1001"},
    ]
    ((name, arguments),) = called(outside.ask(messages, tools=TOOLS).json()["choices"][0])
    assert (name, json.loads(arguments)["order_id"]) == ("request_refund", "1001")


@pytest.mark.parametrize("more", [{}, {"tools": TOOLS, "tool_choice": "none"}])
@pytest.mark.parametrize("text", ["talk to a person", "#tool opening_hours {}", "#loop opening_hours {}"])
def test_without_tools_the_answer_is_text(outside: Outside, more: dict[str, Any], text: str) -> None:
    choice = outside.chat(text, **more)
    assert called(choice) == []
    assert text in choice["message"]["content"]


def test_tool_lines_are_parallel_calls_with_their_arguments_as_written(outside: Outside) -> None:
    text = '#tool opening_hours {"day": "monday"}\n#tool nowhere {bad json\n#tool order_status'
    assert called(outside.chat(text, tools=TOOLS)) == [
        ("opening_hours", '{"day": "monday"}'),
        ("nowhere", "{bad json"),
        ("order_status", "{}"),
    ]


def test_only_one_call_is_made_when_parallel_calls_are_off(outside: Outside) -> None:
    choice = outside.chat("#tool a {}\n#tool b {}", tools=TOOLS, parallel_tool_calls=False)
    assert called(choice) == [("a", "{}")]


def test_a_forced_tool_is_called_with_arguments_that_fit_its_schema(outside: Outside) -> None:
    parameters = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tools = [{"type": "function", "function": {"name": "count", "parameters": parameters}}]
    choice = {"type": "function", "function": {"name": "count"}}
    assert called(outside.chat("hello", tools=tools, tool_choice=choice)) == [("count", '{"n": 0}')]


def test_after_tool_results_the_answer_tells_the_question_and_the_results(outside: Outside) -> None:
    messages = tool_round("When are you open?", '"from nine to six"', '{"day": "monday"}')
    choice = outside.ask(messages, tools=TOOLS).json()["choices"][0]
    assert called(choice) == []
    for part in ("When are you open?", "from nine to six", '{"day": "monday"}'):
        assert part in choice["message"]["content"]


def test_a_loop_calls_its_tool_again_after_every_result(outside: Outside) -> None:
    messages = tool_round('#loop opening_hours {"again": 1}', "open")
    choice = outside.ask(messages, tools=TOOLS).json()["choices"][0]
    assert called(choice) == [("opening_hours", '{"again": 1}')]


@pytest.mark.parametrize("more", [{}, {"response_format": {"type": "json_object"}}])
def test_bad_json_is_no_json(outside: Outside, more: dict[str, Any]) -> None:
    content = outside.chat("#bad-json", **more)["message"]["content"]
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(content)


def test_empty_and_refused_and_cut_off_answers(outside: Outside) -> None:
    assert outside.chat("#empty")["message"]["content"] == ""
    refused = outside.chat("#refuse")["message"]
    assert refused["content"] is None
    assert refused["refusal"]
    assert outside.chat("#length")["finish_reason"] == "length"


def test_a_slow_answer_comes_in_the_end(outside: Outside) -> None:
    assert "#sleep 0.01" in outside.chat("hello #sleep 0.01")["message"]["content"]


def test_a_word_that_only_begins_like_a_directive_is_text(outside: Outside) -> None:
    assert "#emptyish #toolbox" in outside.chat("#emptyish #toolbox", tools=TOOLS)["message"]["content"]


def test_json_schema_output_fits_the_schema_and_carries_the_reply(outside: Outside) -> None:
    schema = {
        "type": "object",
        "properties": {
            "reply": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "mood": {"enum": ["calm", "cross"]},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
            "score": {"type": "number", "minimum": 1},
            "urgent": {"type": "boolean"},
            "due": {"type": "string", "format": "date-time"},
            "aside": {"type": "string"},
        },
        "required": ["reply", "mood", "parts", "score", "urgent", "due"],
        "$defs": {"Part": {"type": "object", "properties": {"text": {"type": "string"}}}},
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}}
    filled = json.loads(outside.chat("hello there", response_format=wanted)["message"]["content"])
    assert "hello there" in filled.pop("reply")
    assert "hello there" in filled.pop("parts")[0]["text"]
    assert filled == {"mood": "calm", "score": 1, "urgent": False, "due": "2026-01-01T00:00:00Z"}


def test_a_schema_that_refers_to_itself_is_filled_and_ends(outside: Outside) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "r", "schema": node}}
    assert outside.chat("hello", response_format=wanted)["message"]["content"].startswith('{"next"')


def test_usage_counts_tokens_with_details_and_every_answer_has_a_request_id(outside: Outside) -> None:
    first = outside.ask([{"role": "user", "content": "hello"}])
    second = outside.ask([{"role": "user", "content": "hello " * 2000}])
    usage = second.json()["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] > 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "messages": []}',
        b'{"model": "m", "messages": "x"}',
        b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": true}',
        b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": 3}',
        b'{"model": "m", "messages": [{"content": 3}], "response_format": {"type": "json_schema"}}',
    ],
)
def test_a_bad_request_gets_an_openai_error(outside: Outside, body: bytes) -> None:
    response = outside.client.post(
        "/v1/chat/completions", content=body, headers={"Authorization": "Bearer x"}
    )
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic abc"])
def test_without_a_key_the_provider_answers_401(outside: Outside, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = outside.client.get("/v1/models", headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
