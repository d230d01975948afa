"""Any process of ours may be killed at any moment: work goes on, nothing is doubled, and nothing is left running."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from tests.acceptance.load import Load, comes_to_rest, deliver, eventually, make_load
from tests.crash.judgement import REST_WITHIN_S, judged, survives
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("kills")]

SEED = 20260902
KILLS = 6
RECOVERS_WITHIN_S = 90.0


def cluster_main(system: System) -> psutil.Process:
    (main,) = psutil.Process(system.processes("worker")[0].pid).children()
    return main


def sentinel(system: System) -> psutil.Process:
    (process,) = cluster_main(system).children()
    return process


def cluster_children(system: System) -> list[psutil.Process]:
    """Workers, pusher and monitor of the cluster: one cannot tell them apart from outside."""
    return sentinel(system).children()


@pytest.fixture
def cluster(system: System) -> System:
    """A system whose cluster is whole, whatever the test before did to it."""
    eventually(lambda: is_whole(system), within_s=RECOVERS_WITHIN_S)
    return system


def is_whole(system: System) -> bool:
    with suppress(psutil.Error, ValueError):
        return len(cluster_children(system)) == 4 and len(idle_workers(system)) == 2
    return False


def alive_executors(system: System) -> set[int]:
    rows = system.rows(
        "SELECT pid FROM pipeline_worker WHERE kind = 'executor' AND seen_at > now() - interval '15 s'"
    )
    return {row["pid"] for row in rows}


def test_workers_killed_at_random_under_load_answer_everything_once(cluster: System) -> None:
    loads: list[Load] = []
    with killing(lambda: random_child(cluster), every_s=1.5) as killed:
        while len(killed) < KILLS:
            loads.append(make_load(conversations=25, messages=25, copies=3, seed=SEED + 100 + len(loads)))
            deliver(cluster, loads[-1])
    for load in loads:
        judged(cluster, load)


def random_child(system: System) -> psutil.Process:
    return random.choice(cluster_children(system))


@contextmanager
def killing(choose: Callable[[], psutil.Process], *, every_s: float) -> Iterator[list[psutil.Process]]:
    """Kills one of the chosen every so often; yields those that were killed so far."""
    over = threading.Event()
    killed: list[psutil.Process] = []

    def kill_now_and_then() -> None:
        while not over.wait(every_s):
            with suppress(psutil.Error, ValueError, IndexError):
                victim = choose()
                victim.kill()
                killed.append(victim)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


@pytest.mark.parametrize("victim", [cluster_main, sentinel])
def test_killed_head_of_the_cluster_is_replaced_with_all_below_it(
    cluster: System, victim: Callable[[System], psutil.Process]
) -> None:
    group = [*cluster_main(cluster).children(recursive=True), cluster_main(cluster)]
    victim(cluster).kill()
    survives(cluster, make_load(conversations=5, messages=10, copies=1, seed=SEED + 1 + (victim is sentinel)))
    eventually(
        lambda: not any(is_running(each) for each in group),
        within_s=RECOVERS_WITHIN_S,
        otherwise=lambda: group,
    )
    eventually(lambda: is_whole(cluster), within_s=RECOVERS_WITHIN_S)


def is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_idle_worker_killed_while_it_waits_for_tasks_does_not_wedge_the_cluster(cluster: System) -> None:
    """Of the waiting workers one holds the lock of q2's task queue. Killed, it leaves it locked for all the others."""
    for number in range(len(idle_workers(cluster))):
        comes_to_rest(cluster, within_s=REST_WITHIN_S)
        idle_workers(cluster)[number].kill()
        survives(cluster, make_load(conversations=5, messages=10, copies=1, seed=SEED + 10 + number))
        eventually(lambda: len(idle_workers(cluster)) == 2, within_s=RECOVERS_WITHIN_S)


def idle_workers(system: System) -> list[psutil.Process]:
    """Those of the cluster's processes that said that they work."""
    executors = alive_executors(system)
    return [child for child in cluster_children(system) if child.pid in executors]


def test_all_idle_processes_of_the_cluster_killed_at_once_are_replaced(cluster: System) -> None:
    comes_to_rest(cluster, within_s=REST_WITHIN_S)
    for process in cluster_children(cluster):
        process.kill()
    survives(cluster, make_load(conversations=5, messages=10, copies=1, seed=SEED + 15))


def test_cluster_whose_supervisor_was_killed_ends_by_itself_and_the_next_goes_on(cluster: System) -> None:
    orphans = cluster.children("worker")
    cluster.kill("worker")
    load = make_load(conversations=5, messages=10, copies=1, seed=SEED + 20)
    deliver(cluster, load)
    eventually(
        lambda: not any(is_running(each) for each in orphans),
        within_s=RECOVERS_WITHIN_S,
        otherwise=lambda: orphans,
    )
    cluster.start("worker")
    judged(cluster, load)


def test_stopped_worker_lands_its_flights_and_leaves_nothing_running(cluster: System) -> None:
    everything = cluster.processes("worker")
    load = make_load(conversations=10, messages=20, copies=1, seed=SEED + 30)
    deliver(cluster, load)
    cluster.stop("worker")
    assert not [each for each in everything if is_running(each)]
    assert cluster.rows("SELECT 1 FROM pipeline_mailbox WHERE lease_owner <> ''") == []
    cluster.start("worker")
    judged(cluster, load)
