"""How the states of this app look."""

from audit.staff.show import Tone, Tones
from pipeline.models import (
    BreakerState,
    EventStatus,
    Outcome,
    StepKind,
    StepStatus,
    SwitchAction,
    SwitchStatus,
    TurnStatus,
    WorkerKind,
)

EVENT_STATUS: Tones = {
    EventStatus.RECEIVED: Tone.NEUTRAL,
    EventStatus.PROCESSING: Tone.INFO,
    EventStatus.HELD: Tone.WARNING,
    EventStatus.DONE: Tone.SUCCESS,
}
OUTCOME: Tones = {
    Outcome.REPLIED: Tone.SUCCESS,
    Outcome.MERGED: Tone.SUCCESS,
    Outcome.COMMAND: Tone.SUCCESS,
    Outcome.NEEDS_HUMAN: Tone.WARNING,
    Outcome.BLOCKED: Tone.NEUTRAL,
    Outcome.RATE_LIMITED: Tone.WARNING,
    Outcome.SHED: Tone.WARNING,
    Outcome.SILENCED: Tone.NEUTRAL,
    Outcome.IGNORED: Tone.NEUTRAL,
    Outcome.FAILED: Tone.DANGER,
    Outcome.EXPIRED: Tone.DANGER,
}
TURN: Tones = {
    TurnStatus.RUNNING: Tone.INFO,
    TurnStatus.SUSPENDED: Tone.WARNING,
    TurnStatus.SUCCEEDED: Tone.SUCCESS,
    TurnStatus.FAILED: Tone.DANGER,
}
STEP: Tones = {
    StepStatus.STARTED: Tone.INFO,
    StepStatus.SUCCEEDED: Tone.SUCCESS,
    StepStatus.FAILED: Tone.DANGER,
    StepStatus.UNKNOWN: Tone.WARNING,
}
STEP_KIND: Tones = {
    StepKind.MODEL: Tone.INFO,
    StepKind.TOOL: Tone.NEUTRAL,
    StepKind.REVIEW: Tone.WARNING,
}
BREAKER: Tones = {
    BreakerState.CLOSED: Tone.SUCCESS,
    BreakerState.OPEN: Tone.DANGER,
    BreakerState.HALF_OPEN: Tone.WARNING,
}
WORKER_KIND: Tones = {WorkerKind.SUPERVISOR: Tone.NEUTRAL, WorkerKind.EXECUTOR: Tone.INFO}
SWITCH_STATUS: Tones = {
    SwitchStatus.PENDING: Tone.INFO,
    SwitchStatus.ACTIVE: Tone.WARNING,
    SwitchStatus.ENDED: Tone.NEUTRAL,
}
SWITCH_ACTION: Tones = {
    SwitchAction.PAUSE: Tone.WARNING,
    SwitchAction.DEGRADE: Tone.INFO,
    SwitchAction.STOP: Tone.DANGER,
}
