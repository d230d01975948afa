"""Handing entries out, with their seals: a file that says of each line what the chain says of it. Streamed."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Max, QuerySet

from audit.canonical import FIELDS, canonical, content, instant
from audit.models import ActorKind, AuditEntry, Seal
from audit.operations import Fact, record

CHUNK = 1_000
SEAL_COLUMNS = ("sequence", "hash", "sealed_at")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""
Entries = QuerySet[AuditEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """`write` makes the text of some entries."""

    name: str
    content_type: str
    write: Callable[[list[AuditEntry]], str]
    beginning: str = ""


def record_export(*, by: str, name: str, filters: dict[str, Any], now: datetime) -> None:
    """Reading the trail out is an act of its own."""
    fact = Fact(
        action="audit.exported",
        object_type="audit",
        object_id=name,
        actor_kind=ActorKind.PERSON,
        actor=by,
        details={"filters": filters} if filters else {},
    )
    record(fact, now=now)


async def stream(entries: Entries, form: Format) -> AsyncIterator[str]:
    """Oldest first, up to the newest one there is now, a chunk at a time."""
    yield form.beginning
    last, newest = 0, await sync_to_async(_newest)(entries)
    while chunk := await sync_to_async(_chunk)(entries, last, newest):
        yield form.write(chunk)
        last = chunk[-1].pk


def _newest(entries: Entries) -> int:
    newest: int | None = entries.order_by().aggregate(newest=Max("pk"))["newest"]
    return newest or 0


def _chunk(entries: Entries, last: int, newest: int) -> list[AuditEntry]:
    rows = entries.filter(pk__gt=last, pk__lte=newest).select_related("seal").order_by("pk")
    return list(rows[:CHUNK])


def seal_of(entry: AuditEntry) -> Seal | None:
    """None until it is sealed."""
    return getattr(entry, "seal", None)


def _json_lines(entries: list[AuditEntry]) -> str:
    return "".join(canonical(_facts(entry)).decode() + "\n" for entry in entries)


def _facts(entry: AuditEntry) -> dict[str, Any]:
    """What the chain hashes, but for the hash before."""
    seal = seal_of(entry)
    return {
        "entry": content(entry),
        "sequence": seal.sequence if seal else None,
        "hash": seal.hash if seal else None,
        "sealed_at": instant(seal.sealed_at) if seal else None,
    }


def _csv_rows(entries: list[AuditEntry]) -> str:
    return _csv([_row(_facts(entry)) for entry in entries])


def _row(facts: dict[str, Any]) -> list[object]:
    return [*(facts[name] for name in SEAL_COLUMNS), *_cells(facts["entry"])]


def _cells(entry: dict[str, Any]) -> list[object]:
    cells = (entry.get(name, "") for name in FIELDS)
    return [canonical(cell).decode() if isinstance(cell, dict) else _harmless(cell) for cell in cells]


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _csv(rows: list[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


FORMATS = (
    Format(name="jsonl", content_type="application/x-ndjson", write=_json_lines),
    Format(
        name="csv",
        content_type="text/csv; charset=utf-8",
        write=_csv_rows,
        beginning=_csv([[*SEAL_COLUMNS, *FIELDS]]),
    ),
)
