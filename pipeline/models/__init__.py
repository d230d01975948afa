from pipeline.models.breaker import Breaker, BreakerState
from pipeline.models.engine import QueuedTask, Worker, WorkerKind
from pipeline.models.housekeeping import HousekeepingRun
from pipeline.models.ledger import EventKind, EventStatus, Mailbox, Outcome, ProcessedEvent
from pipeline.models.turn import Step, StepKind, StepStatus, Turn, TurnStatus

__all__ = [
    "Breaker",
    "BreakerState",
    "EventKind",
    "EventStatus",
    "HousekeepingRun",
    "Mailbox",
    "Outcome",
    "ProcessedEvent",
    "QueuedTask",
    "Step",
    "StepKind",
    "StepStatus",
    "Turn",
    "TurnStatus",
    "Worker",
    "WorkerKind",
]
