"""The simulated model: a pure function of the chat request. The same conversation gets the same answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.simulator import shop
from pipeline.simulator.conversation import Turn
from pipeline.simulator.directives import Directives, WantedCall
from pipeline.simulator.fields import JsonObject
from pipeline.simulator.schema_filler import SchemaFiller

SURE = 0.95
UNSURE = 0.3
REFUSAL = "I'm sorry, I can't help with that."


@dataclass(frozen=True, slots=True)
class Answer:
    """Either tool calls, or content, or a refusal; after `sleep_s`. `sureness`: the probability of each token."""

    content: str | None = None
    calls: tuple[WantedCall, ...] = ()
    refusal: str | None = None
    finish_reason: str = "stop"
    sleep_s: float = 0.0
    sureness: float = SURE


def answer(request: JsonObject) -> Answer:
    turn = Turn.read(request["messages"])
    directives = Directives.read(turn.text)
    calls = _calls(request, turn, directives)
    if calls:
        return Answer(calls=calls, finish_reason="tool_calls", sleep_s=directives.sleep_s)
    return _text_answer(request, turn, directives)


def fingerprint(request: JsonObject) -> str:
    """Names one conversation: ids of completions and tool calls are made from it."""
    asked = {"model": request.get("model"), "messages": request["messages"]}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def count_tokens(text: str) -> int:
    """About four characters a token, and never none."""
    return max(1, len(text) // 4)


def _calls(request: JsonObject, turn: Turn, directives: Directives) -> tuple[WantedCall, ...]:
    offered = offered_tools(request)
    if not offered or request.get("tool_choice") == "none":
        return ()
    wanted = directives.loops
    if not wanted and not turn.results:
        wanted = directives.calls or _forced(request, offered) or _shop_call(turn, offered)
    return wanted[:1] if request.get("parallel_tool_calls") is False else wanted


def offered_tools(request: JsonObject) -> dict[str, JsonObject]:
    """Parameter schemas by tool name."""
    functions = [
        tool.get("function") or {} for tool in request.get("tools") or () if isinstance(tool, Mapping)
    ]
    return {str(each.get("name")): each.get("parameters") or {} for each in functions}


def _forced(request: JsonObject, offered: Mapping[str, JsonObject]) -> tuple[WantedCall, ...]:
    choice = request.get("tool_choice")
    if choice == "required":
        name = next(iter(offered))
    elif isinstance(choice, dict):
        name = str((choice.get("function") or {}).get("name"))
    else:
        return ()
    arguments = SchemaFiller(offered.get(name, {}), "simulated").fill()
    return (WantedCall(name, json.dumps(arguments or {})),)


def _shop_call(turn: Turn, offered: Mapping[str, JsonObject]) -> tuple[WantedCall, ...]:
    question = shop.question(turn)
    if question is None or question.lacks_order or question.tool not in offered:
        return ()
    return (WantedCall(question.tool, question.arguments(turn.text)),)


def _text_answer(request: JsonObject, turn: Turn, directives: Directives) -> Answer:
    bad, sleep_s = directives.bad_answer, directives.sleep_s
    if bad == "refuse":
        return Answer(refusal=REFUSAL, sleep_s=sleep_s)
    if bad == "empty":
        return Answer(content="", sleep_s=sleep_s)
    reply = _reply(turn)
    if bad == "bad-json":
        return Answer(content=json.dumps({"text": reply}, ensure_ascii=False)[:-2], sleep_s=sleep_s)
    content = _formatted(request.get("response_format") or {}, reply)
    if bad == "length":
        return Answer(content=content[: len(content) // 2], finish_reason="length", sleep_s=sleep_s)
    return Answer(content=content, sleep_s=sleep_s, sureness=UNSURE if directives.is_unsure else SURE)


def _reply(turn: Turn) -> str:
    words = shop.wording(turn.text)
    reply = _first_reply(turn, words)
    return words.anew.format(reply=reply) if turn.is_asked_anew else reply


def _first_reply(turn: Turn, words: shop.Wording) -> str:
    if turn.results:
        return words.about.format(text=turn.text, results=_told(turn.results))
    question = shop.question(turn)
    if question is None:
        return words.greeting.format(text=turn.text)
    return (words.which_order if question.lacks_order else words.unavailable).format(text=turn.text)


def _told(results: Sequence[str]) -> str:
    return " ".join(_unquoted(result) for result in results)


def _unquoted(result: str) -> str:
    """A tool result that is a JSON string is told without its quotes."""
    try:
        value = json.loads(result)
    except ValueError:
        return result
    return value if isinstance(value, str) else result


def _formatted(response_format: JsonObject, reply: str) -> str:
    kind = response_format.get("type")
    if kind == "json_object":
        return json.dumps({"text": reply}, ensure_ascii=False)
    if kind == "json_schema":
        schema = response_format["json_schema"]["schema"]
        return json.dumps(SchemaFiller(schema, reply).fill(), ensure_ascii=False)
    return reply
