"""The running system seals by itself what is written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.system import System

pytestmark = pytest.mark.acceptance

UNSEALED = """
SELECT id FROM audit_auditentry AS entry WHERE NOT EXISTS (SELECT FROM audit_seal WHERE entry_id = entry.id)
"""
WITHIN_S = 30.0


def test_a_running_worker_seals_the_trail(home: Path) -> None:
    with System(home) as system:
        assert system.rows("SELECT count(*) FROM audit_auditentry") != [{"count": 0}]
        until = time.monotonic() + WITHIN_S
        while system.rows(UNSEALED) and time.monotonic() < until:
            time.sleep(0.2)

        assert system.rows(UNSEALED) == []
        assert "The trail is intact." in system.manage("audit_verify")
