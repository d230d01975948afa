"""What goes wrong outside, and what must be true afterwards."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import TRANSIENT_STEPS, Code
from tests.acceptance.load import Ended, Load, comes_to_rest, endings, in_order, make_load
from tests.system import System

LONG = os.environ.get("ZUPA_CHAOS") == "long"
"""Set by `make chaos`: the same with ten times the load, and faults that last as long as they do in life."""
SEED = int(os.environ.get("ZUPA_CHAOS_SEED", "20260910"))
REST_WITHIN_S = 200.0
OUTCOMES = {"replied", "needs_human", "failed"}
FAULTS = TRANSIENT_STEPS | {Code.STEP_UNKNOWN, Code.TURN_DEADLINE, Code.TURN_KILLED_WORKER}
"""What a message may end with because of what these tests do to it."""
HEALTHY_SHARE = 1 / 3
"""At least so many messages are answered as if nothing had happened; all but a few are, where no breaker opens."""
LONGEST_ATTEMPT_S = max(CALLS[call].attempt_s for call in (Call.MODEL, Call.SEND))


@dataclass(frozen=True)
class Outside:
    """The simulator's controls."""

    url: str

    def fault(self, target: str, mode: str, **more: Any) -> None:
        self.post("/_sim/faults", {"target": target, "mode": mode, **more})

    def mend(self) -> None:
        httpx2.delete(f"{self.url}/_sim/faults", timeout=30, trust_env=False).raise_for_status()
        self.post("/_sim/settings", {"statuses": "delivered", "seed": SEED})

    def post(self, path: str, body: dict[str, Any]) -> None:
        httpx2.post(f"{self.url}{path}", json=body, timeout=30, trust_env=False).raise_for_status()


def load_of(messages: int, *, copies: int, number: int) -> Load:
    """`number` tells the tests apart: each has a seed, and so people, of its own."""
    scale = 10 if LONG else 1
    return make_load(
        conversations=messages * scale // 3, messages=messages * scale, copies=copies, seed=SEED + number
    )


def chance(number: int) -> random.Random:
    return random.Random(SEED + number)


def seconds(short: float, long: float) -> float:
    return long if LONG else short


def judged(system: System, load: Load) -> list[Ended]:
    """Every event has one outcome and one answer; that was accepted once, or is held up as unknown; in order."""
    comes_to_rest(system, within_s=REST_WITHIN_S)
    ended = endings(system)
    ours = [ended[said.id] for said in load.messages]
    assert not [each for each in ours if each.outcome not in OUTCOMES]
    blamed = [each for each in ours if each.outcome != "replied"]
    assert not [each for each in blamed if each.code not in FAULTS], f"for no fault of ours: {blamed}"
    assert len(ours) - len(blamed) >= HEALTHY_SHARE * len(ours), f"too few were answered: {blamed}"
    twice = [each for each in ours if each.accepted > 1]
    assert not twice, f"sent twice: {twice}"
    lost = [each for each in ours if not each.accepted and each.delivery != "unknown"]
    assert not lost, f"not sent, and nobody told: {lost}"
    for said in load.conversations().values():
        assert in_order([ended[each.id] for each in said]), said
    assert system.rows("SELECT 1 FROM pipeline_mailbox WHERE lease_owner <> ''") == []
    return ours


def fault_s(mode: str) -> float:
    """What hangs does so for longer than any deadline, also in the short version."""
    return seconds(LONGEST_ATTEMPT_S + 1, 60) if mode == "hang" else seconds(1, 30)


def pause(seconds: float) -> None:
    time.sleep(seconds)
