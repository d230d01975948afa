"""How the queue looked, again and again while something else went on."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import linear_regression

import psycopg

from bench.stage import Stage
from bench.table import percentile

EACH_S = 0.5

LOOK = """
SELECT COALESCE(EXTRACT(EPOCH FROM now() - min(received_at) FILTER (WHERE status = 'received')), 0)::float,
       COALESCE(EXTRACT(EPOCH FROM now() - min(received_at)), 0)::float,
       count(*) FILTER (WHERE status = 'received'), count(*)
FROM pipeline_processedevent WHERE status <> 'done'
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """`waiting`: no turn has them yet. `open`: no outcome yet, those being answered included."""

    at: float
    oldest_waiting_s: float
    oldest_open_s: float
    waiting: int
    open: int


class Samples(list[Sample]):
    def p95_waiting_s(self) -> float:
        return percentile([sample.oldest_waiting_s for sample in self], 95)

    def p95_open_s(self) -> float:
        return percentile([sample.oldest_open_s for sample in self], 95)

    def growth(self, values: Sequence[float]) -> float:
        """A minute, by least squares."""
        return linear_regression([sample.at / 60 for sample in self], values).slope

    def after(self, at: float) -> "Samples":
        return Samples(sample for sample in self if sample.at >= at)


@contextmanager
def sampled(here: Stage) -> Iterator[Samples]:
    """Grows while the block runs."""
    samples, over = Samples(), threading.Event()
    thread = threading.Thread(target=_look_until, args=(here, samples, over))
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _look_until(here: Stage, samples: Samples, over: threading.Event) -> None:
    with psycopg.connect(here.system.database_url, autocommit=True) as connection:
        while not over.wait(EACH_S):
            row = connection.execute(LOOK).fetchone()
            assert row is not None
            samples.append(Sample(time.time(), *row))
