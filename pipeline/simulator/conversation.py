"""What the model is asked: the customer's open turn, read out of a chat request's messages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.simulator.fields import JsonObject

PLACEHOLDERS = {"image_url": "[image]", "input_audio": "[audio]", "file": "[file]"}


@dataclass(frozen=True, slots=True)
class Turn:
    """`text` is every user message not yet answered; `results` are the tool results that came last.

    `is_asked_anew`: the answer given before was sent back by a system message behind it.
    """

    text: str
    results: tuple[str, ...]
    earlier: tuple[str, ...]
    is_asked_anew: bool = False

    @classmethod
    def read(cls, messages: Sequence[JsonObject]) -> "Turn":
        rest = _before_sent_back(messages)
        return replace(cls._read(rest), is_asked_anew=len(rest) < len(messages))

    @classmethod
    def _read(cls, messages: Sequence[JsonObject]) -> "Turn":
        spoken = [message for message in messages if message.get("role") not in ("system", "developer")]
        results, rest = _split_tail(spoken, ("tool", "function"))
        if results:
            rest = _before_tool_calls(rest)
        asked, before = _split_tail(rest, ("user",))
        return cls(
            text="\n".join(content_text(message) for message in asked),
            results=tuple(content_text(message) for message in results),
            earlier=tuple(content_text(message) for message in before if message.get("role") == "user"),
        )


def _before_sent_back(messages: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """Steps back over answers that a system message sent back."""
    end = len(messages)
    while end > 1 and [message.get("role") for message in messages[end - 2 : end]] == ["assistant", "system"]:
        end -= 2
    return messages[:end]


def content_text(message: JsonObject) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(_part_text(part) for part in parts if isinstance(part, dict))


def _part_text(part: JsonObject) -> str:
    return str(part.get("text") or PLACEHOLDERS.get(str(part.get("type")), ""))


def _split_tail(
    messages: Sequence[JsonObject], roles: tuple[str, ...]
) -> tuple[Sequence[JsonObject], Sequence[JsonObject]]:
    """The messages of these roles at the end, and all before them."""
    start = len(messages)
    while start and messages[start - 1].get("role") in roles:
        start -= 1
    return messages[start:], messages[:start]


def _before_tool_calls(messages: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """Steps back over rounds of tool calls to the user's words that began them."""
    end = len(messages)
    while end and (messages[end - 1].get("tool_calls") or messages[end - 1].get("role") == "tool"):
        end -= 1
    return messages[:end]
