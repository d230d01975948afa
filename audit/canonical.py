"""The canonical form of a link of the chain, and its hash. Both stay as they are for ever: docs/audit.md tells them.

Fields without a value are left out, so that a column added later changes no hash of before.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from audit.models import AuditEntry

GENESIS = "0" * 64
"""What stands for the hash before the first."""
FIELDS = tuple(field.attname for field in AuditEntry._meta.concrete_fields)


def content(entry: AuditEntry) -> dict[str, Any]:
    """All that the entry says, as JSON."""
    values = ((name, getattr(entry, name)) for name in FIELDS)
    return {
        name: instant(value) if name == "at" else value for name, value in values if value not in ("", {})
    }


def instant(at: datetime) -> str:
    """In UTC, always with six decimals."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def canonical(value: object) -> bytes:
    """JSON in UTF-8, keys sorted, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def chained(entry: AuditEntry, *, previous: str, sequence: int, sealed_at: datetime) -> str:
    """The hash of this link: it stands on the entry, its place, its time, and by `previous` on all links before."""
    link = {
        "entry": content(entry),
        "previous": previous,
        "sealed_at": instant(sealed_at),
        "sequence": sequence,
    }
    return hashlib.sha256(canonical(link)).hexdigest()
