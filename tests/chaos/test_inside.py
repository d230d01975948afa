"""Our own processes and our database go away under load, and come back: nothing is lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

import httpx2
import psutil
import pytest

from tests.acceptance.load import Load, deliver, eventually
from tests.chaos.faults import chance, judged, load_of, pause, seconds
from tests.ingress.answers import Answer, refusal
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("chaos")]


@contextmanager
def being_delivered(system: System, load: Load) -> Iterator[threading.Thread]:
    """The load comes in while the body runs; its end is waited for."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            deliver(system, load)
        except BaseException as error:  # noqa: BLE001 - raised again where the test sees it
            failures.append(error)

    delivering = threading.Thread(target=work)
    delivering.start()
    try:
        yield delivering
    finally:
        delivering.join()
    if failures:
        raise failures[0]


def test_web_server_killed_again_and_again_under_load(system: System) -> None:
    load = load_of(30, copies=3, number=40)
    kills = 0
    with being_delivered(system, load) as delivering:
        while delivering.is_alive() or not kills:
            pause(seconds(1, 5))
            system.kill("web")
            system.start("web")
            kills += 1
    judged(system, load)


def test_any_process_killed_at_any_time_under_load(system: System) -> None:
    """Workers, pusher, monitor, sentinel, the cluster's head, the supervisor, daphne."""
    random = chance(50)
    load = load_of(30, copies=2, number=50)
    killed: list[str] = []
    with being_delivered(system, load) as delivering:
        while delivering.is_alive() or len(killed) < 4:
            pause(seconds(2, 5))
            killed.append(kill_one(system, random))
    print(f"killed: {killed}")
    judged(system, load)


def kill_one(system: System, random: Random) -> str:
    name = random.choice(["web", "worker", "child", "child", "child"])
    if name == "child":
        with suppress(psutil.Error, IndexError):
            random.choice(system.children("worker")).kill()
    elif name == "web":
        system.kill("web")
        system.start("web")
    else:
        system.kill("worker")
        system.start("worker")
    return name


def test_postgres_restarted_every_few_seconds_under_load(system: System) -> None:
    random = chance(60)
    load = load_of(30, copies=3, number=60)
    restarts = 0
    with being_delivered(system, load) as delivering:
        while delivering.is_alive() or restarts < 2:
            pause(random.uniform(seconds(3, 5), seconds(8, 40)))
            system.stop_postgres(random.choice(["immediate", "fast"]))
            system.start_postgres()
            restarts += 1
    judged(system, load)


def test_database_gone_for_a_while_is_said_to_platforms_and_outlived_by_workers(system: System) -> None:
    load = load_of(30, copies=2, number=70)
    workers = system.processes("worker")[0].pid
    with being_delivered(system, load):
        eventually(lambda: events(system) > 5, within_s=60)
        system.stop_postgres("fast")
        answer = posted(system)
        pause(seconds(10, 60))
        system.start_postgres()
        eventually(lambda: posted(system).status == 401, within_s=10)
    assert refusal(answer, 503)["code"] == "database_away"
    assert int(answer.headers["retry-after"]) > 0
    judged(system, load)
    assert system.processes("worker")[0].pid == workers, "they came back by themselves"


def events(system: System) -> int:
    return int(
        system.rows("SELECT count(*) AS number FROM pipeline_processedevent WHERE status <> 'done'")[0][
            "number"
        ]
    )


def posted(system: System) -> Answer:
    url = str(system.demo["channels"][0]["webhook_url"])
    response = httpx2.post(url, json={}, timeout=30, trust_env=False)
    return Answer.of(response.status_code, response.headers.items(), response.content)
