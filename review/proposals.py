"""What an item proposes, as people read and change it: a line, arguments to fill in, the difference made."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.agents import registry

LONGEST_LINE = 120
WORD = re.compile(r"\s+|\w+|[^\w\s]")
INPUTS = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
"""How an argument of a JSON schema type is filled in; everything else is written as JSON."""
JSON_INPUT = "json"
PREFIX = "argument."
ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a proposed call. `value` is as its input shows it, empty where the call leaves it out."""

    name: str
    input: str
    value: str
    shown: str
    hint: str
    is_required: bool
    options: Sequence[str] = ()

    @property
    def field(self) -> str:
        return PREFIX + self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a text: only `before`, only `after`, or in both."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentChange:
    """As JSON; None where the call does not have the argument."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Between two proposals: of texts word by word, of calls argument by argument."""

    pieces: Sequence[Piece] = ()
    arguments: Sequence[ArgumentChange] = ()

    def __bool__(self) -> bool:
        return bool(self.arguments) or any(piece.mark for piece in self.pieces)


def in_one_line(proposal: Mapping[str, Any]) -> str:
    """Empty where nothing is proposed."""
    line = " ".join(_text(proposal).split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _call_line(proposal: Mapping[str, Any]) -> str:
    given = ", ".join(f"{name}: {_shown(value)}" for name, value in proposal.get("arguments", {}).items())
    return f"{proposal['tool']} ({given})" if given else str(proposal["tool"])


def arguments(proposal: Mapping[str, Any]) -> list[Argument]:
    """Those that the tool knows, in its order, then whatever else the call names."""
    given = proposal.get("arguments", {})
    schema = _schema(str(proposal.get("tool", "")))
    properties, required = schema.get("properties", {}), schema.get("required", ())
    unknown: dict[str, Any] = {name: {} for name in given if name not in properties}
    return [
        _argument(name, described, given.get(name, ABSENT), is_required=name in required)
        for name, described in {**properties, **unknown}.items()
    ]


def _schema(tool: str) -> dict[str, Any]:
    """Empty for a tool that no app offers any more."""
    known = registry.get(tool)
    return known.parameters.model_json_schema() if known else {}


def _argument(name: str, described: Mapping[str, Any], value: Any, *, is_required: bool) -> Argument:
    kind = INPUTS.get(described.get("type", ""), JSON_INPUT)
    options = [str(option) for option in described.get("enum", ())] if kind == "text" else []
    return Argument(
        name=name,
        input=JSON_INPUT if _misfits(value, kind) else kind,
        value=_filled_in(value, kind),
        shown="" if value is ABSENT else _shown(value),
        hint=str(described.get("description", "")),
        is_required=is_required,
        options=options,
    )


def _misfits(value: Any, kind: str) -> bool:
    """A model may propose a number as text, or worse: then it is shown as it is."""
    fitting = {"text": str, "integer": int, "number": int | float, "boolean": bool}.get(kind, object)
    is_number_that_is_none = isinstance(value, bool) and kind in ("integer", "number")
    return value is not ABSENT and (not isinstance(value, fitting) or is_number_that_is_none)


def _filled_in(value: Any, kind: str) -> str:
    if value is ABSENT:
        return ""
    return value if kind == "text" and isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_json(proposal: Mapping[str, Any]) -> str:
    """The arguments as somebody may edit them."""
    return json.dumps(proposal.get("arguments", {}), indent=2, ensure_ascii=False)


def composed(proposal: Mapping[str, Any], filled_in: Mapping[str, str], written: str) -> str:
    """The arguments, as JSON, that somebody filled in; or `written`, where they changed that instead.

    What is no value of its type is handed on as a text: whoever checks the arguments says so by their name.
    """
    if written.strip() and written.split() != as_json(proposal).split():
        return written
    made = {
        argument.name: _value(filled_in[argument.field], argument.input)
        for argument in arguments(proposal)
        if argument.field in filled_in and (filled_in[argument.field] or argument.input == "text")
        if filled_in[argument.field] or argument.is_required or argument.shown
    }
    return json.dumps(made, ensure_ascii=False)


def _value(text: str, kind: str) -> Any:
    if kind == "text":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    if "tool" in before and "tool" in after:
        return Difference(arguments=_changes(before.get("arguments", {}), after.get("arguments", {})))
    return Difference(pieces=_pieces(_text(before), _text(after)))


def _text(proposal: Mapping[str, Any]) -> str:
    return _call_line(proposal) if "tool" in proposal else str(proposal.get("text", ""))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ArgumentChange]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        ArgumentChange(name=name, before=_said(before, name), after=_said(after, name))
        for name in names
        if before.get(name, ABSENT) != after.get(name, ABSENT)
    ]


def _said(arguments: Mapping[str, Any], name: str) -> str | None:
    return _shown(arguments[name]) if name in arguments else None


def _pieces(before: str, after: str) -> list[Piece]:
    old, new = WORD.findall(before), WORD.findall(after)
    pieces: list[Piece] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece(mark="", text="".join(old[a:b])))
            continue
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        pieces += [Piece(mark=mark, text=text) for mark, text in (("-", gone), ("+", come)) if text]
    return pieces
