"""The one error tree. Adapters raise it, policies decide by it, people read its codes.

PipelineError
├── TransientError          did not happen, may work later
│   ├── RateLimitedError    … and says when
│   │   └── RecipientLimitedError  … and concerns one recipient alone
│   └── BreakerOpenError    was not tried: its breaker is open
├── PermanentError          did not happen and will not
│   ├── CredentialsError    our key or secret is refused
│   ├── RecipientError      this contact cannot be reached
│   ├── WindowError         the channel's window for free-form messages is closed
│   ├── AccountError        our account is restricted or out of credit
│   ├── RequestError        our request is wrong: a defect of ours or of a configuration
│   └── StoppedError        a switch stops it: refused, not failed
├── PausedError             a switch pauses it: it waits as it is
├── UnknownError            may or may not have happened: the answer never came
└── StaleError              this worker no longer holds what it acts on; its work is dropped
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable codes, stored and shown. Never reuse one for another meaning."""

    MODEL_CONNECTION = "model.connection"
    MODEL_TIMEOUT = "model.timeout"
    MODEL_RATE_LIMITED = "model.rate_limited"
    MODEL_SERVER = "model.server"
    MODEL_CREDENTIALS = "model.credentials"
    MODEL_QUOTA = "model.quota"
    MODEL_REQUEST = "model.request"
    MODEL_MALFORMED = "model.malformed"
    MODEL_EMPTY = "model.empty"
    MODEL_TRUNCATED = "model.truncated"

    TOOL_UNKNOWN = "tool.unknown"
    TOOL_ARGUMENTS = "tool.arguments"
    TOOL_TIMEOUT = "tool.timeout"
    TOOL_FAILED = "tool.failed"
    TOOL_ITERATIONS = "tool.iterations"
    TOOL_REFUSED = "tool.refused"

    SEND_CONNECTION = "send.connection"
    SEND_UNANSWERED = "send.unanswered"
    SEND_INTERRUPTED = "send.interrupted"
    SEND_RATE_LIMITED = "send.rate_limited"
    SEND_SERVER = "send.server"
    SEND_CREDENTIALS = "send.credentials"
    SEND_ACCOUNT = "send.account"
    SEND_RECIPIENT = "send.recipient"
    SEND_WINDOW = "send.window"
    SEND_REQUEST = "send.request"
    SEND_FILE = "send.file"
    SEND_REPORTED = "send.reported"
    SEND_OWNER_CHANGED = "send.owner_changed"

    STEP_UNKNOWN = "step.unknown"
    TURN_DEADLINE = "turn.deadline"
    PHASE_DEADLINE = "phase.deadline"
    TURN_KILLED_WORKER = "turn.killed_worker"
    TURN_UNEXPECTED = "turn.unexpected"
    TURN_OWNER_CHANGED = "turn.owner_changed"
    TURN_LEASE_LOST = "turn.lease_lost"
    TAKEOVER_IDLE = "takeover.idle"

    REVIEW_REQUIRED = "review.required"
    REVIEW_RULE = "review.rule"
    REVIEW_SUPERVISED = "review.supervised"
    REVIEW_SWITCH = "review.switch"
    REVIEW_SUPERSEDED = "review.superseded"
    REVIEW_REJECTED = "review.rejected"
    REVIEW_ANSWERED = "review.answered"
    PERSON_ASKED = "person.asked"

    BREAKER_OPEN = "breaker.open"
    SWITCH_PAUSED = "switch.paused"
    SWITCH_DEGRADED = "switch.degraded"
    SWITCH_STOPPED = "switch.stopped"
    CONTACT_BLOCKED = "contact.blocked"
    CONTACT_RATE_LIMITED = "contact.rate_limited"
    TENANT_OVERLOADED = "tenant.overloaded"
    CONVERSATION_OVERLOADED = "conversation.overloaded"

    EVENT_UNSUPPORTED = "event.unsupported"
    EVENT_NO_SENDER = "event.no_sender"
    EVENT_UNKNOWN_NUMBER = "event.unknown_number"


class PipelineError(Exception):
    """`code` is stable and shown to people; `detail` tells the story and may quote the vendor."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TransientError(PipelineError):
    pass


class RateLimitedError(TransientError):
    """`retry_after_s` is the vendor's wish, None where it gave none."""

    def __init__(self, code: Code, detail: str, *, retry_after_s: float | None) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class RecipientLimitedError(RateLimitedError):
    pass


class BreakerOpenError(TransientError):
    pass


class PermanentError(PipelineError):
    pass


class CredentialsError(PermanentError):
    pass


class RecipientError(PermanentError):
    pass


class WindowError(PermanentError):
    pass


class AccountError(PermanentError):
    pass


class RequestError(PermanentError):
    pass


class StoppedError(PermanentError):
    pass


class PausedError(PipelineError):
    pass


class UnknownError(PipelineError):
    pass


class StaleError(PipelineError):
    pass


CHANNEL_REFUSED = frozenset({Code.SEND_CREDENTIALS, Code.SEND_ACCOUNT})
"""Failures of a send that all of its channel's would meet."""
MAY_HAVE_ARRIVED = frozenset({Code.SEND_UNANSWERED, Code.SEND_INTERRUPTED})
"""After one of these no later failure proves that a message did not arrive."""
TRANSIENT_STEPS = frozenset(
    {
        Code.MODEL_CONNECTION,
        Code.MODEL_TIMEOUT,
        Code.MODEL_RATE_LIMITED,
        Code.MODEL_SERVER,
        Code.MODEL_MALFORMED,
        Code.MODEL_EMPTY,
        Code.TOOL_TIMEOUT,
        Code.BREAKER_OPEN,
        Code.SWITCH_DEGRADED,
    }
)
"""What a failed step may have failed with and work later."""


def recorded(code: Code, detail: str) -> PipelineError:
    """The error that a failed step left on record: who meets it later decides as who met it first."""
    if code == Code.SWITCH_STOPPED:
        return StoppedError(code, detail)
    kind = TransientError if code in TRANSIENT_STEPS else PermanentError
    return kind(code, detail)
