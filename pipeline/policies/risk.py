"""When what an agent is about to do waits for a person: an agent's risk rules, as they are written in the admin.

[
  {"on": "tool", "tool": "request_refund", "argument": "amount", "operator": ">", "value": 100},
  {"on": "language", "not_in": ["en", "pt"]},
  {"on": "confidence", "below": 0.6}
]
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Annotated, Any, Literal

from py3langid.langid import MODEL_FILE, LanguageIdentifier
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

SHORTEST_TEXT = 20
"""Fewer letters say too little about their language."""
SUREST = 0.9
"""How sure the detection has to be before a language counts."""
ANY_TOOL = "*"

Value = str | bool | int | float


def _contains(given: object, wanted: object) -> bool:
    return str(wanted).casefold() in str(given).casefold()


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "contains": _contains,
}


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolRule(_Rule):
    """A call of `tool` ("*": any), where `argument` compares so; without an argument, every call.

    `low_risk`: equal proposals may be decided at once.
    """

    on: Literal["tool"]
    tool: str = Field(min_length=1)
    argument: str = ""
    operator: Literal["==", "!=", "<", "<=", ">", ">=", "contains"] = "=="
    value: Value | None = None
    low_risk: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "ToolRule":
        if bool(self.argument) != (self.value is not None):
            raise ValueError("argument and value belong together")
        return self

    def holds(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """An argument that is absent, or cannot be compared, is held too: nobody knows what it would do."""
        if self.tool not in (ANY_TOOL, tool):
            return False
        if not self.argument:
            return True
        try:
            return OPERATORS[self.operator](_number(arguments[self.argument]), self.value)
        except (KeyError, TypeError):
            return True

    def __str__(self) -> str:
        condition = f": {self.argument} {self.operator} {self.value}" if self.argument else ""
        return f"{self.tool}{condition}"


class LanguageRule(_Rule):
    """An answer to what is written in none of these languages (ISO 639-1), as far as that can be told."""

    on: Literal["language"]
    not_in: tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...] = Field(min_length=1)

    def holds(self, said: str, confidence: float | None) -> bool:
        language = language_of(said)
        return bool(language) and language not in self.not_in

    def __str__(self) -> str:
        return f"language not in {', '.join(self.not_in)}"


class ConfidenceRule(_Rule):
    """An answer of which the model was less sure: the geometric mean of its tokens' probabilities.

    One that comes without probabilities is held, too.
    """

    on: Literal["confidence"]
    below: float = Field(gt=0, le=1)

    def holds(self, said: str, confidence: float | None) -> bool:
        return confidence is None or confidence < self.below

    def __str__(self) -> str:
        return f"confidence below {self.below:g}"


ReplyRule = LanguageRule | ConfidenceRule
RiskRule = Annotated[ToolRule | LanguageRule | ConfidenceRule, Field(discriminator="on")]
_rules = TypeAdapter(tuple[RiskRule, ...])


def parse(rules: Sequence[Mapping[str, Any]]) -> tuple[ToolRule | LanguageRule | ConfidenceRule, ...]:
    """Raises pydantic's `ValidationError`, a `ValueError`."""
    return _rules.validate_python(tuple(rules))


def of_call(
    rules: Sequence[ToolRule | ReplyRule], tool: str, arguments: Mapping[str, Any]
) -> ToolRule | None:
    """The first rule that holds this call."""
    return next((rule for rule in rules if isinstance(rule, ToolRule) and rule.holds(tool, arguments)), None)


def of_reply(rules: Sequence[ToolRule | ReplyRule], said: str, confidence: float | None) -> ReplyRule | None:
    """The first rule that holds an answer to what was `said`."""
    replies = (rule for rule in rules if not isinstance(rule, ToolRule))
    return next((rule for rule in replies if rule.holds(said, confidence)), None)


def confidence(logprobs: Sequence[float]) -> float | None:
    """From the natural logarithms of the tokens' probabilities; None without any."""
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else None


def language_of(text: str) -> str:
    """ISO 639-1; empty where that is not clear."""
    if sum(letter.isalpha() for letter in text) < SHORTEST_TEXT:
        return ""
    language, probability = _identifier().classify(text)
    return str(language) if probability >= SUREST else ""


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Loaded by the first agent that has a rule about languages: it takes a moment, and some memory."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _number(given: Any) -> Any:
    """Models like to write numbers as text."""
    if not isinstance(given, str):
        return given
    try:
        read = json.loads(given)
    except ValueError:
        return given
    return read if isinstance(read, int | float) and not isinstance(read, bool) else given
