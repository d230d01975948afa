"""Contacts that no agent answers: which entry names an address, and what may stand in one."""

import re

from django.db import DataError, OperationalError, connection, transaction
from django.db.models import BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields import CharField
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext as _

from pipeline.models import BlocklistEntry, BlocklistKind

LONGEST = 100
MOST_PATTERNS = 30
"""As many regular expressions as PostgreSQL keeps compiled in each connection; more would cost every turn."""
MATCH_WITHIN_MS = 200
NOT_ALLOWED = re.compile(r"\\[1-9]|\(\?|^\*\*\*")
"""References back, lookaround and options: what makes a match slow, or means something else than it seems to."""
SAMPLE = "55119" * 25
"""As long as an address may be."""


def in_force() -> QuerySet[BlocklistEntry]:
    expires = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    return BlocklistEntry.objects.filter(expires, ended_at__isnull=True)


def naming(address: str) -> Subquery:
    """The id of an entry that names the address in this field of a row with a `tenant_id`. For a query asked anyway.

    CASE keeps the order: what is no regular expression is never read as one.
    """
    entries = in_force().filter(Q(tenant__isnull=True) | Q(tenant_id=OuterRef("tenant_id")))
    named = entries.alias(address=Cast(OuterRef(address), CharField())).alias(
        is_named=Case(
            When(kind=BlocklistKind.ADDRESS, then=Q(address=F("value"))),
            When(kind=BlocklistKind.PREFIX, then=Q(address__startswith=F("value"))),
            default=Q(address__regex=F("value")),
            output_field=BooleanField(),
        )
    )
    return Subquery(named.filter(is_named=True).order_by("pk").values("pk")[:1])


def refusal(kind: BlocklistKind, value: str) -> str:
    """Why the value may not stand in an entry, in a sentence; empty when it may."""
    if not value.strip():
        return _("Say which address, or how it begins.")
    if len(value) > LONGEST:
        return _("At most %(number)d characters.") % {"number": LONGEST}
    return _refuse_pattern(value) if kind is BlocklistKind.PATTERN else ""


def _refuse_pattern(value: str) -> str:
    if NOT_ALLOWED.search(value):
        return _("References back, lookaround and options are not allowed in a pattern.")
    if in_force().filter(kind=BlocklistKind.PATTERN).count() >= MOST_PATTERNS:
        return _("There are %(number)d patterns already, and each costs every message: use a prefix.") % {
            "number": MOST_PATTERNS
        }
    try:
        names_everybody = _matches("", value)
        _matches(SAMPLE, value)
    except DataError:
        return _("This is not a regular expression that PostgreSQL understands.")
    except OperationalError:
        return _("This pattern takes too long to match.")
    return _("This pattern names everybody: it matches the empty text.") if names_everybody else ""


def _matches(text: str, pattern: str) -> bool:
    """In a savepoint or transaction of its own, so that an error leaves the caller's as it was."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(MATCH_WITHIN_MS)])
        cursor.execute("SELECT %s ~ %s", [text, pattern])
        found = bool(cursor.fetchone()[0])
        cursor.execute(
            "SELECT set_config('statement_timeout', reset_val, true) FROM pg_settings WHERE name = 'statement_timeout'"
        )
        return found
