"""The worker dies at each boundary of journal, commit and send, by name and not by luck."""

from __future__ import annotations

import pytest

from pipeline.engine.faults import FaultPoint
from tests.acceptance.load import REFUND, eventually, make_load
from tests.crash.judgement import deaths, survives
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("fault-points")]

RATES = dict.fromkeys(FaultPoint, 0.3) | {FaultPoint.STEP_STARTED: 1.0}
"""How often passing the point kills. A tool that may not run twice is begun once, so that there every time kills."""
LOADS = 5
"""Of ten messages, at most, until somebody was killed: chance may spare the first."""


SUSPENDING = {FaultPoint.SUSPEND_BEFORE, FaultPoint.SUSPENDED}
"""Passed only by turns that wait for a person: `tests/acceptance/test_suspended.py` kills there."""


@pytest.mark.parametrize("point", [point for point in FaultPoint if point not in SUSPENDING])
def test_worker_killed_at_this_point_answers_everything_once(system: System, point: FaultPoint) -> None:
    before = deaths(system)
    system.stop("worker")
    system.start("worker", ZUPA_KILL_AT=f"{point}={RATES[point]}")
    for attempt in range(LOADS):
        seed = 100 + len(FaultPoint) * attempt + list(FaultPoint).index(point)
        load = make_load(conversations=5, messages=10, copies=2, seed=seed)
        ended = survives(system, load)
        if deaths(system) > before:
            break
    eventually(lambda: deaths(system) > before, within_s=30, otherwise=lambda: "nobody was killed")
    if point is FaultPoint.STEP_STARTED:
        refunds = {said.id for said in load.messages if said.text == REFUND}
        assert refunds
        assert refunds == {each.dedupe_key for each in ended if each.code == "step.unknown"}
