"""How long the pipeline's own parts may take; `calls` has those of the outside."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    turn_s: float = 90.0
    phase_s: float = 5.0
    loop_s: float = 85.0
    commit_s: float = 70.0


DEADLINES = Deadlines()
