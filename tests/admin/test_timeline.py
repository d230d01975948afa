"""Where phases and steps lie on a turn's waterfall."""

import uuid
from datetime import UTC, datetime, timedelta

from pipeline.admin.timeline import SMALLEST_WIDTH, timeline
from pipeline.models import Step, Turn

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def turn(*phases: tuple[str, int, int], finished_ms: int | None = 1_000) -> Turn:
    return Turn(
        id=uuid.uuid4(),
        started_at=START,
        finished_at=after(finished_ms) if finished_ms else None,
        phases=[{"name": name, "started_ms": start, "duration_ms": length} for name, start, length in phases],
    )


def step(name: str, started_ms: int, finished_ms: int | None) -> Step:
    return Step(
        name=name, started_at=after(started_ms), finished_at=after(finished_ms) if finished_ms else None
    )


def after(ms: int) -> datetime:
    return START + timedelta(milliseconds=ms)


def test_bars_take_their_part_of_the_turn() -> None:
    shown = timeline(turn(("first", 0, 250), ("second", 250, 750)), [], after(5_000))

    assert [(row.bar.left, row.bar.width) for row in shown.rows] == [(0, 25), (25, 75)]
    assert shown.length_ms == 1_000


def test_steps_stand_below_the_phase_they_ran_in() -> None:
    shown = timeline(turn(("loop", 0, 900), ("close", 900, 100)), [step("model", 0, 500)], after(5_000))

    assert [row.name for row in shown.rows] == ["loop", "model", "close"]


def test_a_short_phase_is_still_seen_and_none_leaves_the_track() -> None:
    shown = timeline(turn(("long", 0, 1_000), ("instant", 1_000, 0)), [], after(5_000))

    assert all(row.bar.width >= SMALLEST_WIDTH - 1e-9 for row in shown.rows)
    assert all(row.bar.left + row.bar.width <= 100 + 1e-9 for row in shown.rows)


def test_a_step_that_runs_reaches_until_now() -> None:
    shown = timeline(turn(finished_ms=None), [step("model", 0, None)], after(4_000))

    assert shown.length_ms == 4_000
    assert (shown.rows[0].bar.width, shown.rows[0].duration_ms) == (100, None)


def test_a_step_left_open_by_a_crash_does_not_stretch_the_turn() -> None:
    shown = timeline(turn(("loop", 0, 1_000)), [step("refund", 500, None)], after(3_600_000))

    assert shown.length_ms == 1_000


def test_a_turn_that_recorded_nothing_has_no_rows() -> None:
    assert timeline(turn(), [], after(5_000)).rows == []


def test_bars_are_written_with_points_in_every_language() -> None:
    shown = timeline(turn(("first", 0, 333), ("second", 333, 667)), [], after(5_000))

    assert shown.rows[1].bar.style == "left:33.30%;width:66.70%"
