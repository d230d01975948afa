"""JSON that PostgreSQL can store: no NUL, no infinity, no lone surrogates. All of these arrive from outside."""

import math
from typing import Any


def storable(value: Any) -> Any:
    """The same JSON value with each NUL or lone surrogate replaced by U+FFFD; numbers without end become null."""
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _storable_text(text: str) -> str:
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
