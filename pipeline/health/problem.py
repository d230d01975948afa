"""What a problem is."""

from dataclasses import dataclass
from enum import StrEnum

from audit.staff.show import Tone


class Subject(StrEnum):
    """What a problem is about; the page knows where each is looked at."""

    WORKERS = "workers"
    WAITING = "waiting"
    FAILED_EVENTS = "failed_events"
    UNKNOWN_SENDS = "unknown_sends"
    FAILED_SENDS = "failed_sends"
    BREAKERS = "breakers"
    CHANNELS = "channels"
    SWITCHES = "switches"
    APPROVALS = "approvals"
    TOOLS = "tools"
    HOUSEKEEPING = "housekeeping"
    SHED = "shed"
    RATE_LIMITED = "rate_limited"
    REVIEWS = "reviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`record` is the key of the one record it is about, where it is about one."""

    subject: Subject
    tone: Tone
    title: str
    advice: str
    record: object = None
