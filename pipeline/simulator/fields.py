"""Reading typed fields out of JSON that someone else wrote. A failure is an InputError naming the field."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from pipeline.simulator.errors import InputError

JsonObject = Mapping[str, Any]


async def read_json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise InputError(f"the body must be JSON: {error}") from error


async def read_object(request: web.Request) -> dict[str, Any]:
    return as_object(await read_json(request), "the body")


def as_object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a JSON object")
    return value


def text_field(data: JsonObject, name: str, default: str | None = None) -> str:
    """The string under `name`; without a default it is required and not empty."""
    value = data.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise InputError(f"`{name}` must be a {'non-empty ' if default is None else ''}string")
    return value


def number_field(data: JsonObject, name: str, *, low: float, high: float) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"`{name}` must be a number from {low:g} to {high:g}")
    return value


def integer_field(data: JsonObject, name: str, *, low: int, high: int) -> int | None:
    value = number_field(data, name, low=low, high=high)
    if value is None:
        return None
    if value != int(value):
        raise InputError(f"`{name}` must be a whole number")
    return int(value)


def flag_field(data: JsonObject, name: str) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"`{name}` must be true or false")
    return value


def choice_field(data: JsonObject, name: str, choices: tuple[str, ...]) -> str:
    value = data.get(name)
    if value not in choices:
        raise InputError(f"`{name}` must be one of: {', '.join(choices)}")
    return str(value)


def limit_query(request: web.Request) -> int | None:
    raw = request.query.get("limit")
    if raw is None:
        return None
    if not raw.isascii() or not raw.isdigit():
        raise InputError("`limit` must be a whole number, 0 or more")
    return int(raw[:9])
