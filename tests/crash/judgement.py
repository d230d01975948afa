"""What stays true whatever died."""

from __future__ import annotations

from tests.acceptance.load import Ended, Load, comes_to_rest, deliver, endings, in_order
from tests.system import System

REST_WITHIN_S = 150.0
DEATH = "after death"
"""As django-q2 logs a worker process that it found dead and replaced."""


def survives(system: System, load: Load) -> list[Ended]:
    """Deliver the load, let everything come to rest, and judge it; the endings, for what else a test knows of them."""
    deliver(system, load)
    return judged(system, load)


def judged(system: System, load: Load) -> list[Ended]:
    """Every event has one outcome and one answer; that was accepted once, or is held up as unknown; in order."""
    comes_to_rest(system, within_s=REST_WITHIN_S)
    ended = endings(system)
    ours = [ended[said.id] for said in load.messages]
    twice = [each for each in ours if each.accepted > 1]
    assert not twice, f"sent twice: {twice}"
    lost = [each for each in ours if not each.accepted and each.delivery != "unknown"]
    assert not lost, f"not sent, and nobody told: {lost}"
    strange = [each for each in ours if (each.outcome, each.code) not in OUTCOMES]
    assert not strange
    for said in load.conversations().values():
        assert in_order([ended[each.id] for each in said]), said
    return ours


OUTCOMES = {("replied", ""), ("needs_human", "step.unknown"), ("failed", "turn.killed_worker")}
"""Of a turn that was cut off again and again, or while it ran a tool that may not run twice, a person is told."""


def deaths(system: System) -> int:
    return system.log("worker").read_text(errors="replace").count(DEATH)
