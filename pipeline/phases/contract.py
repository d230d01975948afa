"""What a phase promises, and the check that it keeps it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pipeline.phases.state import TurnState
from pipeline.policies.deadlines import DEADLINES
from pipeline.ports import Ports


class ContractError(RuntimeError):
    """A phase ran without what it requires, or did not provide what it promised: a defect in the order or the phase."""


@dataclass(frozen=True, slots=True)
class Phase:
    """`requires` and `provides` name fields of `TurnState` that must not be None before and after.

    A phase that decides the outcome is done with its duty: what it provides is then not checked.
    """

    run: Callable[[TurnState, Ports], Awaitable[TurnState]]
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    deadline_s: float = DEADLINES.phase_s

    @property
    def name(self) -> str:
        return self.run.__name__

    def check_required(self, state: TurnState) -> None:
        self._check(self.requires, state, "runs without")

    def check_provided(self, state: TurnState) -> None:
        if state.decision is None:
            self._check(self.provides, state, "did not provide")

    def _check(self, fields: tuple[str, ...], state: TurnState, fault: str) -> None:
        missing = [field for field in fields if getattr(state, field) is None]
        if missing:
            raise ContractError(f"The phase {self.name} {fault} {', '.join(missing)}.")
