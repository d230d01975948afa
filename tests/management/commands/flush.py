"""Empties, after a test that commits, the tables that have rows.

Django's own empties all of them and makes content types and permissions anew: half a second for each such test.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

MADE_BY_MIGRATE = {"django_content_type", "auth_permission", "django_migrations"}
APPEND_ONLY = {"audit_auditentry", "audit_seal"}


class Command(BaseCommand):
    stealth_options = (
        "interactive",
        "database",
        "reset_sequences",
        "allow_cascade",
        "inhibit_post_migrate",
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """References may dangle until the end: all of Django's are checked at the commit."""
        with transaction.atomic(), connection.cursor() as cursor:
            tables = sorted(set(connection.introspection.django_table_names()) - MADE_BY_MIGRATE)
            cursor.execute(
                " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables)  # noqa: S608 - Django's names
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f"TRUNCATE {name}" if name in APPEND_ONLY else f"DELETE FROM {name}")  # noqa: S608
