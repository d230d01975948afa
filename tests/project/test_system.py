"""The tests' own machine: it starts what `make run` starts, breaks it on demand, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.system import System

pytestmark = pytest.mark.acceptance


def test_a_system_stands_is_killed_and_stands_again(home: Path) -> None:
    with System(home) as system:
        assert httpx2.get(system.demo["admin"]["url"], follow_redirects=True).status_code == 200
        system.kill("worker")
        system.start("worker")
        system.kill("web")
        system.start("web")
        assert httpx2.get(f"{system.url}/health/live").status_code == 200
    assert list(system.stragglers()) == []


def test_a_system_with_its_own_postgres_survives_its_crash(home: Path) -> None:
    with System(home, own_postgres=True) as system:
        system.stop_postgres()
        with pytest.raises(psycopg.OperationalError):
            system.rows("SELECT 1")
        system.start_postgres()
        assert system.rows("SELECT slug FROM conversations_tenant") == [{"slug": "demo"}]
