"""Every phase says what it needs and what it gives, and the order keeps all promises."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

import pytest

from pipeline.phases import CLOSING_PHASES, PHASES, Phase
from pipeline.phases.contract import ContractError
from pipeline.phases.state import Decision, Outcome, TurnState
from pipeline.policies.deadlines import DEADLINES
from pipeline.ports import Ports
from tests.phases.states import state

ALL = (*PHASES, *CLOSING_PHASES)


def test_phases_run_in_the_order_of_the_specification() -> None:
    assert [phase.name for phase in ALL] == [
        "access_policy",
        "session_attach",
        "command_dispatch",
        "content_resolution",
        "context_assembly",
        "prompt_build",
        "agentic_loop",
        "response_finalize",
        "persistence",
        "telemetry_emit",
    ]


@pytest.mark.parametrize("phase", ALL, ids=lambda phase: phase.name)
def test_every_phase_declares_a_contract_over_fields_that_exist(phase: Phase) -> None:
    known = {field.name for field in fields(TurnState)}
    assert phase.requires or phase.provides
    assert {*phase.requires, *phase.provides} <= known
    assert 0 < phase.deadline_s <= DEADLINES.turn_s


@pytest.mark.parametrize("phase", ALL, ids=lambda phase: phase.name)
def test_what_a_phase_requires_was_promised_by_one_before_it(phase: Phase) -> None:
    earlier = ALL[: ALL.index(phase)]
    assert set(phase.requires) <= {field for each in earlier for field in each.provides}


@pytest.mark.parametrize(
    ("phase", "field"),
    [(phase, field) for phase in ALL for field in phase.requires],
    ids=lambda each: getattr(each, "name", each),
)
def test_phase_without_what_it_requires_is_not_run(phase: Phase, field: str) -> None:
    complete = with_fields(state(), phase.requires, ())
    phase.check_required(complete)
    with pytest.raises(ContractError, match=f"{phase.name} runs without {field}"):
        phase.check_required(with_fields(complete, [field], None))


@pytest.mark.parametrize(
    ("phase", "field"),
    [(phase, field) for phase in ALL for field in phase.provides],
    ids=lambda each: getattr(each, "name", each),
)
def test_phase_that_breaks_its_promise_is_found_out(phase: Phase, field: str) -> None:
    if "decision" in phase.provides:
        return
    complete = with_fields(state(), phase.provides, ())
    phase.check_provided(complete)
    with pytest.raises(ContractError, match=f"{phase.name} did not provide {field}"):
        phase.check_provided(with_fields(complete, [field], None))


def with_fields(before: TurnState, names: Collection[str], value: Any) -> TurnState:
    changes: dict[str, Any] = dict.fromkeys(names, value)
    return replace(before, **changes)


def test_phase_that_decides_the_outcome_owes_nothing_more() -> None:
    decided = replace(state(), decision=Decision(Outcome.COMMAND))
    Phase(_idle, provides=("prompt",)).check_provided(decided)


async def _idle(state: TurnState, ports: Ports) -> TurnState:
    return state
