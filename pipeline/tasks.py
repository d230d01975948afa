"""What django-q2 runs. Arguments are ids only; each task may be lost, repeated or late without harm."""

from django.utils import timezone

from audit import sealing
from pipeline import housekeeping, summaries
from pipeline.engine import executor
from pipeline.engine.broker import enqueue_drain

DRAIN_S = 60.0


def drain() -> None:
    """Work on what is due. Still busy when its time is up, it makes room for other tasks."""
    shared = executor.shared()
    with shared.at_work():
        is_busy = shared.serve(DRAIN_S)
    if is_busy:
        enqueue_drain()


def beat() -> None:
    """A sign of life: that this worker process takes tasks from the queue and runs them."""
    executor.shared().beat()


def keep_house() -> None:
    with executor.shared().at_work():
        housekeeping.run(now=timezone.now())
        summaries.write_pending()


def seal_audit() -> None:
    with executor.shared().at_work():
        sealing.seal(now=timezone.now())
