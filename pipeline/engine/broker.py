"""django-q2's queue on PostgreSQL: enqueueing joins the caller's transaction, a NOTIFY wakes the pusher.

A task here is a wake-up and may be lost: it is deleted as it is handed out. Truth and attempts live in our own tables,
and the supervisor's sweep wakes again what a lost task should have.
"""

import time
from typing import Any

import psycopg
import structlog
from django_q.brokers import Broker
from django_q.tasks import async_task

from audit.compiled import fetch
from pipeline.engine.listening import listener_parameters
from pipeline.engine.workers import cluster_name
from pipeline.models import QueuedTask

logger = structlog.get_logger(__name__)

QUEUE_CHANNEL = "zupa_queue"
SHARED_QUEUE = "zupa"
WAIT_S = 1.0
"""How long a dequeue listens before it lets the pusher look whether it has to stop."""

ENQUEUE = """
WITH queued AS (
    INSERT INTO pipeline_queuedtask (queue, coalesce_key, payload, created_at) VALUES (%s, %s, %s, now()) RETURNING id
)
SELECT id, pg_notify(%s, '') FROM queued
"""
DEQUEUE = """
WITH head AS (
    SELECT id, coalesce_key FROM pipeline_queuedtask
    WHERE queue = ANY(%(queues)s) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
), equals AS (
    SELECT task.id FROM pipeline_queuedtask AS task JOIN head USING (coalesce_key)
    WHERE task.coalesce_key <> '' AND task.queue = ANY(%(queues)s) FOR UPDATE OF task SKIP LOCKED
), gone AS (
    DELETE FROM pipeline_queuedtask WHERE id IN (SELECT id FROM head UNION SELECT id FROM equals)
    RETURNING id, payload
)
SELECT gone.id, gone.payload FROM gone JOIN head USING (id)
"""


class PostgresBroker(Broker):  # type: ignore[misc]
    """Hands out tasks of the shared queue and of this cluster's own, in order, equal wake-ups as one."""

    def __init__(self, list_key: str | None = None, *, coalesce_key: str = "") -> None:
        super().__init__(list_key or SHARED_QUEUE)
        self._coalesce_key = coalesce_key
        self._listener: psycopg.Connection[Any] | None = None

    def enqueue(self, task: str) -> int:
        ((task_id, _),) = fetch(ENQUEUE, [self.list_key, self._coalesce_key, task, QUEUE_CHANNEL])
        return int(task_id)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """The next task, or None after `WAIT_S` of silence. A database that is away is waited for, not an error."""
        try:
            listener = self._listening()
            return _take(listener) or (_hears(listener) and _take(listener)) or None
        except psycopg.Error as error:
            logger.warning("queue.database_away", error=str(error))
            self._listener = None
            time.sleep(WAIT_S)
            return None

    def _listening(self) -> psycopg.Connection[Any]:
        if self._listener is None:
            self._listener = psycopg.connect(**listener_parameters(), autocommit=True)
            self._listener.execute(f"LISTEN {QUEUE_CHANNEL}")
        return self._listener

    def queue_size(self) -> int:
        return QueuedTask.objects.filter(queue=self.list_key).count()

    def lock_size(self) -> int:
        return 0

    def purge_queue(self) -> int:
        return QueuedTask.objects.filter(queue=self.list_key).delete()[0]

    delete_queue = purge_queue

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "Zupa PostgreSQL"


def _take(listener: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    return listener.execute(DEQUEUE, {"queues": [SHARED_QUEUE, cluster_name()]}).fetchall()


def _hears(listener: psycopg.Connection[Any]) -> bool:
    return any(True for _ in listener.notifies(timeout=WAIT_S, stop_after=1))


def enqueue_drain() -> None:
    """Wake a worker, in the caller's transaction: it drains whatever is due. Many of these are handed out as one."""
    async_task(
        "pipeline.tasks.drain", task_name="drain", q_options={"broker": PostgresBroker(coalesce_key="drain")}
    )


def enqueue_housekeeping() -> None:
    broker = PostgresBroker(coalesce_key="keep_house")
    async_task("pipeline.tasks.keep_house", task_name="keep_house", q_options={"broker": broker})


def enqueue_sealing() -> None:
    broker = PostgresBroker(coalesce_key="seal_audit")
    async_task("pipeline.tasks.seal_audit", task_name="seal_audit", q_options={"broker": broker})


def enqueue_beats(cluster: str, number: int) -> None:
    """Ask `cluster` for signs of life: each is given by the worker process that runs the task."""
    for each in range(number):
        broker = PostgresBroker(cluster, coalesce_key=f"beat {each}")
        async_task("pipeline.tasks.beat", task_name="beat", q_options={"broker": broker})
