"""A trail to seal, and the hand of somebody who owns the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from audit import sealing
from audit.models import ActorKind, AuditEntry, Seal
from audit.operations import Fact, record_all
from audit.verification import Report, verify

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def facts(number: int, **fields: Any) -> list[Fact]:
    common: dict[str, Any] = {"action": "event.requeued", "object_type": "event"}
    return [Fact(**common | {"object_id": n, "details": {"n": n}} | fields) for n in range(number)]


def write(number: int = 1, **fields: Any) -> list[int]:
    """That many entries; their ids."""
    before = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    person = {"actor_kind": ActorKind.PERSON, "actor": "ana", "reason": "late"}
    record_all(facts(number, **person | fields), now=NOW)
    return list(AuditEntry.objects.filter(id__gt=before).order_by("id").values_list("id", flat=True))


def sealed(number: int) -> list[int]:
    """The ids of so many sealed entries."""
    ids = write(number)
    assert sealing.seal(now=NOW) == number
    return ids


def check(**options: Any) -> Report:
    return verify(now=NOW + timedelta(seconds=10), **options)


def findings(**options: Any) -> list[tuple[str, int | None, int | None]]:
    """What `audit_verify` names: kind, place and entry."""
    return [(found.kind.value, found.sequence, found.entry_id) for found in check(**options).findings]


def sql(statement: str, *values: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def triggers_off() -> Iterator[None]:
    """What only the owner of the tables can do."""
    for table in (AuditEntry, Seal):
        sql(f"ALTER TABLE {table._meta.db_table} DISABLE TRIGGER ALL")
    yield
    for table in (AuditEntry, Seal):
        sql(f"ALTER TABLE {table._meta.db_table} ENABLE TRIGGER ALL")
