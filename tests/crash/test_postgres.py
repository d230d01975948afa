"""The database crashes under load: webhooks say so, workers wait, and afterwards nothing is missing or doubled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from tests.acceptance.load import deliver, eventually, make_load
from tests.crash.judgement import judged
from tests.ingress.answers import Answer, refusal
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("postgres")]

AWAY_S = 4.0


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder), own_postgres=True) as running,
    ):
        yield running


def test_postgres_restarted_under_load_loses_and_doubles_nothing(system: System) -> None:
    load = make_load(conversations=25, messages=100, copies=3, seed=20260903)
    delivering = threading.Thread(target=deliver, args=(system, load))
    delivering.start()
    eventually(lambda: events(system) > 20, within_s=60)
    system.stop_postgres("immediate")
    time.sleep(AWAY_S)
    system.start_postgres()
    delivering.join()
    judged(system, load)


def events(system: System) -> int:
    return int(system.rows("SELECT count(*) AS number FROM pipeline_processedevent")[0]["number"])


def test_webhook_without_a_database_is_asked_to_come_again(system: System) -> None:
    system.stop_postgres("fast")
    url = str(system.demo["channels"][0]["webhook_url"])
    answer = posted(url)
    assert refusal(answer, 503)["code"] == "database_away"
    assert int(answer.headers["retry-after"]) > 0
    system.start_postgres()
    eventually(lambda: posted(url).status == 401, within_s=30)


def posted(url: str) -> Answer:
    response = httpx2.post(url, json={}, timeout=30, trust_env=False)
    return Answer.of(response.status_code, response.headers.items(), response.content)
