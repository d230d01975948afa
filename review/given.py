"""What a browser sent, read so that nothing odd in it breaks a page."""

from django.http import QueryDict

LONGEST_REASON = 500
LONGEST_TEXT = 20_000


def is_number(text: str) -> bool:
    """Whether it can be the number of a row."""
    return text.isdecimal() and text.isascii() and len(text) < 19


def number(query: QueryDict, name: str) -> int | None:
    text = query.get(name, "")
    return int(text) if is_number(text) else None


def text(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()[:LONGEST_TEXT]


def reason(query: QueryDict) -> str:
    return text(query, "reason")[:LONGEST_REASON]
