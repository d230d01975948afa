"""Who is alive. A worker says so in its own row; whoever stops saying so is taken for dead."""

import os
import socket
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import psutil

from pipeline.engine import mailbox
from pipeline.models import Worker, WorkerKind

FORGET_AFTER = timedelta(minutes=10)
CLUSTER_VARIABLE = "ZUPA_CLUSTER"
"""Set by the supervisor for the processes it starts; not a setting."""


def cluster_name() -> str:
    return os.environ.get(CLUSTER_VARIABLE, "")


@lru_cache(maxsize=1)
def _name_of(pid: int) -> str:
    return f"{socket.gethostname()[:60]}:{pid}:{int(time.time())}"


def my_name() -> str:
    """Unique over time: host, pid and start. A fork gets a name of its own."""
    return _name_of(os.getpid())


def beat(*, kind: WorkerKind, cluster: str, in_flight: int, now: datetime, left_behind: int = 0) -> None:
    """Say that this process is alive."""
    Worker.objects.bulk_create(
        [
            Worker(
                name=my_name(),
                kind=kind,
                cluster=cluster,
                host=socket.gethostname()[:64],
                pid=os.getpid(),
                in_flight=in_flight,
                left_behind=left_behind,
                started_at=now,
                seen_at=now,
            )
        ],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["in_flight", "left_behind", "seen_at"],
    )


def last_sign_of_life(cluster: str) -> datetime | None:
    """When an executor of the cluster was last heard of."""
    executors = Worker.objects.filter(cluster=cluster, kind=WorkerKind.EXECUTOR)
    return executors.order_by("-seen_at").values_list("seen_at", flat=True).first()


def bury_dead_executors(cluster: str) -> int:
    """End the leases of this machine's executors whose process is gone, at once instead of at their end."""
    executors = Worker.objects.filter(cluster=cluster, kind=WorkerKind.EXECUTOR).values_list("name", "pid")
    return bury([name for name, pid in executors if not psutil.pid_exists(pid)])


def bury(names: Sequence[str]) -> int:
    """Forget the named workers and make due what they had leased. The number of leases ended."""
    if not names:
        return 0
    ended = mailbox.expire_leases(dead_owners=names)
    Worker.objects.filter(name__in=names).delete()
    return ended


def bury_cluster(cluster: str) -> int:
    return bury(
        list(Worker.objects.filter(cluster=cluster, kind=WorkerKind.EXECUTOR).values_list("name", flat=True))
    )


def forget_silent(*, now: datetime) -> None:
    Worker.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()
