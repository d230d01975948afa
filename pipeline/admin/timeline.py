"""A turn's waterfall: where each phase and each step lies in the time the turn took. Knows no HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline.models import Step, Turn

MILLISECOND = timedelta(milliseconds=1)
SMALLEST_WIDTH = 0.4
"""Percent; less is not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of the turn, in percent of its length."""

    left: float
    width: float

    @property
    def style(self) -> str:
        """Inline style with decimal points, whatever the language of the page."""
        return f"left:{self.left:.2f}%;width:{self.width:.2f}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A phase, or the step that ran within the phase above it. A step that never ended has no duration."""

    name: str
    bar: Bar
    started_ms: float
    duration_ms: float | None
    error: str = ""
    step: Step | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    rows: list[Row]
    length_ms: float
    ticks: list[float]


def timeline(turn: Turn, steps: Sequence[Step], now: datetime) -> Timeline:
    """`now` is where a step still running ends for the time being."""
    length_ms = _length_ms(turn, steps, now)
    rows = [*_phase_rows(turn.phases, length_ms), *(_step_row(turn, step, length_ms, now) for step in steps)]
    ordered = sorted(rows, key=lambda row: (row.started_ms, row.step is not None))
    return Timeline(rows=ordered, length_ms=length_ms, ticks=[length_ms * part / 4 for part in range(5)])


def _length_ms(turn: Turn, steps: Iterable[Step], now: datetime) -> float:
    ends = [phase["started_ms"] + phase["duration_ms"] for phase in turn.phases]
    ends += [
        _offset_ms(turn, step.finished_at or now) for step in steps if step.finished_at or _is_open(turn)
    ]
    return max(1.0, *ends) if ends else max(1.0, _offset_ms(turn, turn.finished_at or now))


def _is_open(turn: Turn) -> bool:
    return turn.finished_at is None


def _phase_rows(phases: Iterable[dict[str, Any]], length_ms: float) -> Iterable[Row]:
    for phase in phases:
        yield Row(
            name=phase["name"],
            bar=_bar(phase["started_ms"], phase["duration_ms"], length_ms),
            started_ms=phase["started_ms"],
            duration_ms=phase["duration_ms"],
            error=phase.get("error") or "",
        )


def _step_row(turn: Turn, step: Step, length_ms: float, now: datetime) -> Row:
    started_ms = max(0.0, _offset_ms(turn, step.started_at))
    ended_ms = _offset_ms(turn, step.finished_at or now)
    return Row(
        name=step.name,
        bar=_bar(started_ms, max(0.0, ended_ms - started_ms), length_ms),
        started_ms=started_ms,
        duration_ms=(step.finished_at - step.started_at) / MILLISECOND if step.finished_at else None,
        error=step.error_code,
        step=step,
    )


def _bar(started_ms: float, duration_ms: float, length_ms: float) -> Bar:
    left = min(100.0 - SMALLEST_WIDTH, 100 * started_ms / length_ms)
    width = 100 * duration_ms / length_ms
    return Bar(left=left, width=min(100.0 - left, max(SMALLEST_WIDTH, width)))


def _offset_ms(turn: Turn, at: datetime) -> float:
    return (at - turn.started_at) / MILLISECOND
