"""The explorer's questions are answered by indexes: none reads the trail through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEntry
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db

ENTRIES = 40_000
LIST = site.list_page(AuditEntry)
FILL = """
INSERT INTO audit_auditentry (at, actor_kind, actor, action, object_type, object_id, reason, policy_version, details,
    request_id, tenant_id, conversation_id, session_id, contact_id, event_id, dedupe_key, turn_id)
SELECT timestamptz '2026-01-01' + n * interval '1 minute', CASE WHEN n %% 50 = 0 THEN 'person' ELSE 'agent' END,
    CASE WHEN n %% 50 = 0 THEN 'user' || n %% 1000 ELSE '' END, 'turn.replied', 'turn', n::text, '', '', '{}',
    'request-' || n, n %% 5, n %% 5000, '', '', '', '', 'turn-' || n
FROM generate_series(1, %s) AS n
"""
QUESTIONS = [
    {"actor__exact": "user50"},
    {"actor__exact": "nobody"},
    {"actor_kind__exact": "contact"},
    {"action__startswith": "login."},
    {"object_type__exact": "turn", "object_id__exact": "77"},
    {"conversation_id__exact": "77"},
    {"request_id__exact": "request-77"},
    {"turn_id__exact": "turn-77"},
    {"at_from_0": "2026-01-02", "at_to_0": "2026-01-02"},
    {"at_to_0": "2025-12-31"},
    {"q": "request-77"},
    {"q": "user50"},
    {"q": "in no entry"},
]


def plans(client: Client, query: dict[str, str]) -> Iterator[str]:
    """How the database answers what the list asks of the trail."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(LIST, query).status_code == 200
    questions = [sql["sql"] for sql in asked if 'FROM "audit_auditentry"' in sql["sql"]]
    with connection.cursor() as cursor:
        for question in questions:
            cursor.execute(f"EXPLAIN {question}")
            yield "\n".join(row[0] for row in cursor.fetchall())


def test_no_question_reads_the_whole_trail(client: Client) -> None:
    client.force_login(factories.superuser())
    with connection.cursor() as cursor:
        cursor.execute(FILL, [ENTRIES])
        cursor.execute("ANALYZE audit_auditentry")

    for query in QUESTIONS:
        for plan in plans(client, query):
            assert "Seq Scan on audit_auditentry" not in plan, (query, plan)
            assert "Filter: " not in plan or "Index Cond: " in plan, (query, plan)
