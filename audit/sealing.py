"""Sealing: entries that are settled join the hash chain, in the order of their ids and without a gap.

Whoever writes evidence takes no lock for it. An entry is settled when no transaction can commit one before it any
more; docs/adr/0008 says how that is known.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max

from audit.canonical import GENESIS, chained
from audit.models import AuditEntry, Seal

EVERY = timedelta(seconds=3)
SEALED_WITHIN = timedelta(minutes=5)
"""An older entry without a seal is a finding. Sealing waits for the oldest transaction that writes evidence."""
BATCH = 1_000
BATCHES = 10
"""The most that one call seals, in a few seconds; the rest is for the next."""
PATIENCE_S = 2.0
POLL_S = 0.02
ADVISORY_LOCK = 0x5A5345414C
"""Key of the lock that keeps two sealers apart: 'ZSEAL'."""

WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'audit_auditentry'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND pid IS DISTINCT FROM pg_backend_pid()
"""
"""Every transaction that has inserted an entry, or is about to: the lock is taken before the id is drawn, and is let go
after the commit can be seen. Transactions that prepared to commit in two phases have no pid, and count too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest link. Before the first, it is the beginning of the chain."""

    sequence: int = 0
    hash: str = GENESIS
    entry_id: int = 0
    sealed_at: datetime | None = None


def head() -> Head:
    seal = Seal.objects.order_by("-sequence").first()
    return Head() if seal is None else head_of(seal)


def head_of(seal: Seal) -> Head:
    return Head(sequence=seal.sequence, hash=seal.hash, entry_id=seal.entry_id, sealed_at=seal.sealed_at)


def is_due(*, now: datetime) -> bool:
    """Whether there is something to seal, and the last time is long enough ago."""
    newest = head()
    rested = newest.sealed_at is None or now - newest.sealed_at >= EVERY
    return rested and AuditEntry.objects.filter(pk__gt=newest.entry_id).exists()


def seal(*, now: datetime, patience_s: float = PATIENCE_S) -> int:
    """Seal what is settled, oldest first. The number of new seals: 0 where another sealer is at it.

    Waits up to `patience_s` for transactions that write evidence; after that the next call tries again. Idempotent.
    """
    last_id = _settled_up_to(patience_s)
    number = 0
    for _ in range(BATCHES):
        sealed = _seal_batch(last_id, now)
        number += sealed
        if sealed < BATCH:
            break
    return number


def _settled_up_to(patience_s: float) -> int:
    """The highest id below which nothing can appear any more: the newest one, once all who write now are done."""
    newest: int = AuditEntry.objects.aggregate(newest=Max("pk"))["newest"] or 0
    until = time.monotonic() + patience_s
    writers = _writers()
    while writers and time.monotonic() < until:
        time.sleep(POLL_S)
        writers &= _writers()
    return 0 if writers else newest


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(WRITERS)
        return {virtual_transaction for (virtual_transaction,) in cursor.fetchall()}


@transaction.atomic
def _seal_batch(last_id: int, now: datetime) -> int:
    if not _is_only_sealer():
        return 0
    before = head()
    entries = AuditEntry.objects.filter(pk__gt=before.entry_id, pk__lte=last_id).order_by("pk")[:BATCH]
    seals = _links(list(entries), before, now)
    Seal.objects.bulk_create(seals)
    return len(seals)


def _is_only_sealer() -> bool:
    """Until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        (is_locked,) = cursor.fetchone()
    return bool(is_locked)


def _links(entries: list[AuditEntry], before: Head, now: datetime) -> list[Seal]:
    seals = []
    previous = before.hash
    for sequence, entry in enumerate(entries, start=before.sequence + 1):
        previous = chained(entry, previous=previous, sequence=sequence, sealed_at=now)
        seals.append(Seal(sequence=sequence, entry=entry, hash=previous, sealed_at=now))
    return seals
