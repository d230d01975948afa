"""Keeps a django-q2 cluster working: starts it, listens for its heart, replaces it, stops it, and sweeps.

The cluster's own guard was seen to wedge and to leave orphans when its processes are killed. So it is judged from
outside, by the heartbeat that its worker processes write, and it lives in a process group of its own, so that
nothing of it outlives its replacement.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from threading import Event

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit import sealing
from pipeline import housekeeping
from pipeline.controls import operations as controls
from pipeline.engine import mailbox, workers
from pipeline.engine.broker import enqueue_beats, enqueue_drain, enqueue_housekeeping, enqueue_sealing
from pipeline.engine.cluster import GRACE_S
from pipeline.engine.executor import STOP_VARIABLE
from pipeline.models import WorkerKind

logger = structlog.get_logger(__name__)

SWEEP_S = 1.0
WORKERS_A_BEAT = 5
"""Idle workers take beats in turn: so each takes one at least every so many sweeps."""
WEDGED_AFTER_S = 20.0
RESTART_PAUSE_S = 1.0


@dataclass
class Supervisor:
    """`run` until `stop_requested` is set. One supervisor runs one cluster; several may share a database."""

    stop_requested: Event = field(default_factory=Event)
    name: str = field(default_factory=lambda: f"{socket.gethostname()[:60]}:{os.getpid()}:{int(time.time())}")

    def run(self) -> None:
        while not self.stop_requested.is_set():
            cluster = _Cluster.start(self.name)
            reason = self._watch(cluster)
            cluster.stop(graceful=self.stop_requested.is_set())
            self._quietly(self._bury_cluster)
            if not self.stop_requested.is_set():
                logger.error("cluster.replaced", reason=reason)
                self.stop_requested.wait(RESTART_PAUSE_S)
        self._quietly(self._sign_off)

    def _watch(self, cluster: "_Cluster") -> str:
        """Sweep until the cluster has to be stopped or replaced; why."""
        while not self.stop_requested.wait(SWEEP_S):
            if not cluster.is_running():
                return "its main process ended"
            if not self._quietly(lambda: self._sweep(cluster)):
                cluster.excuse_silence()
            elif cluster.silent_for_s() > WEDGED_AFTER_S:
                return f"none of its workers gave a sign of life for {WEDGED_AFTER_S:g} s"
        return "stopped"

    @transaction.atomic
    def _sweep(self, cluster: "_Cluster") -> None:
        """Bring back to the queue what nobody works on any more, and wake a worker if anything is due."""
        workers.beat(kind=WorkerKind.SUPERVISOR, cluster=self.name, in_flight=0, now=timezone.now())
        mailbox.expire_leases()
        controls.expire(now=timezone.now())
        workers.bury_dead_executors(self.name)
        workers.forget_silent(now=timezone.now())
        enqueue_beats(self.name, ceil(settings.ZUPA.workers / WORKERS_A_BEAT))
        if mailbox.has_due_work():
            enqueue_drain()
        if housekeeping.is_due(now=timezone.now()):
            enqueue_housekeeping()
        if sealing.is_due(now=timezone.now()):
            enqueue_sealing()
        cluster.hear(workers.last_sign_of_life(self.name))

    @transaction.atomic
    def _bury_cluster(self) -> None:
        workers.bury_cluster(self.name)

    @transaction.atomic
    def _sign_off(self) -> None:
        workers.bury([workers.my_name()])

    def _quietly(self, work: Callable[[], None]) -> bool:
        """Whether the database did it. While it is away, the supervisor waits and the cluster is left alone."""
        try:
            work()
        except DatabaseError as error:
            logger.warning("supervisor.database_away", error=str(error))
            connection.close()
            return False
        return True


class _Cluster:
    """A running cluster: its main process, the pipe that tells it to stop, and when it was last heard of."""

    def __init__(self, process: subprocess.Popen[bytes], stop_pipe: int) -> None:
        self._process = process
        self._stop_pipe = stop_pipe
        self._last_sign: datetime | None = None
        self._heard_at = time.monotonic()

    @classmethod
    def start(cls, name: str) -> "_Cluster":
        far_end, near_end = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.engine.cluster"],
            env={**os.environ, workers.CLUSTER_VARIABLE: name, STOP_VARIABLE: str(far_end)},
            pass_fds=[far_end],
            start_new_session=True,
        )
        os.close(far_end)
        logger.info("cluster.started", pid=process.pid)
        return cls(process, near_end)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def hear(self, sign: datetime | None) -> None:
        if sign != self._last_sign:
            self._last_sign = sign
            self._heard_at = time.monotonic()

    def excuse_silence(self) -> None:
        self._heard_at = time.monotonic()

    def silent_for_s(self) -> float:
        return time.monotonic() - self._heard_at

    def stop(self, *, graceful: bool) -> None:
        """Closing the pipe asks the cluster to stop; whatever is left after the grace time ends with its group."""
        os.close(self._stop_pipe)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S if graceful else 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
