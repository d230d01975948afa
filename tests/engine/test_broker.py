"""The queue of wake-ups: in order, equal ones as one, in the caller's transaction, without polling."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django_q.signing import SignedPackage

from pipeline.engine import broker as broker_module
from pipeline.engine.broker import SHARED_QUEUE, PostgresBroker, enqueue_beats, enqueue_drain
from pipeline.engine.workers import CLUSTER_VARIABLE
from pipeline.models import QueuedTask

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN_S = 20


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty queue is said to be empty at once."""
    monkeypatch.setattr(broker_module, "WAIT_S", 0.05)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresBroker]:
    monkeypatch.setenv(CLUSTER_VARIABLE, "cluster-1")
    made = PostgresBroker()
    yield made
    close(made)


def close(broker: PostgresBroker) -> None:
    if broker._listener:
        broker._listener.close()


def taken(broker: PostgresBroker) -> list[str]:
    """Everything in the queue, as it is handed out."""
    found = []
    while batch := broker.dequeue():
        found += [payload for _, payload in batch]
    return found


def names(payloads: list[str]) -> list[str]:
    return [SignedPackage.loads(payload)["name"] for payload in payloads]


def test_tasks_are_handed_out_once_in_the_order_they_came(broker: PostgresBroker) -> None:
    for number in range(5):
        broker.enqueue(f"task {number}")
    assert taken(broker) == [f"task {number}" for number in range(5)]
    assert not QueuedTask.objects.exists()


def test_equal_wake_ups_are_handed_out_as_one(broker: PostgresBroker) -> None:
    for _ in range(20):
        enqueue_drain()
    broker.enqueue("another task")
    enqueue_drain()
    first, *others = taken(broker)
    assert names([first]) == ["drain"]
    assert others == ["another task"]


def test_wake_up_that_comes_after_one_was_handed_out_is_handed_out_too(broker: PostgresBroker) -> None:
    enqueue_drain()
    assert len(taken(broker)) == 1
    enqueue_drain()
    assert len(taken(broker)) == 1


def test_cluster_gets_its_own_tasks_and_no_others(broker: PostgresBroker) -> None:
    enqueue_beats("cluster-2", 1)
    assert taken(broker) == []
    enqueue_beats("cluster-1", 2)
    enqueue_beats("cluster-1", 2)
    assert names(taken(broker)) == ["beat", "beat"]
    assert QueuedTask.objects.get().queue == "cluster-2"


def test_enqueueing_joins_the_callers_transaction(broker: PostgresBroker) -> None:
    with transaction.atomic():
        enqueue_drain()
        assert broker.dequeue() is None
    assert names(taken(broker)) == ["drain"]


def test_wake_up_of_a_transaction_that_failed_never_was(broker: PostgresBroker) -> None:
    with transaction.atomic():
        enqueue_drain()
        transaction.set_rollback(True)
    assert taken(broker) == []


def test_waiting_pusher_is_woken_by_the_enqueueing_and_not_by_its_patience(
    broker: PostgresBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "WAIT_S", 10 * WITHIN_S)
    with ThreadPoolExecutor(1) as pusher:
        waiting = pusher.submit(broker.dequeue)
        until_somebody_listens()
        enqueue_drain()
        (task,) = waiting.result(WITHIN_S) or []
    assert names([task[1]]) == ["drain"]


def until_somebody_listens() -> None:
    """A listener that has looked into the queue sits idle after its `LISTEN` and its first look."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'idle' AND query LIKE '%WITH head AS%' AND pid <> pg_backend_pid()"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone()[0]:
                return


def test_two_pushers_never_get_the_same_task(broker: PostgresBroker) -> None:
    for number in range(60):
        broker.enqueue(f"{number}")
    brokers = [PostgresBroker(SHARED_QUEUE) for _ in range(3)]
    with ThreadPoolExecutor(3) as pushers:
        shares = list(pushers.map(taken, brokers))
    for each in brokers:
        close(each)
    everything = [*shares[0], *shares[1], *shares[2], *taken(broker)]
    assert sorted(everything, key=int) == [f"{number}" for number in range(60)]


def test_pusher_waits_for_a_database_that_went_away_and_goes_on(broker: PostgresBroker) -> None:
    broker.enqueue("before")
    assert taken(broker) == ["before"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    broker.enqueue("after")
    assert broker.dequeue() is None
    assert taken(broker) == ["after"]
