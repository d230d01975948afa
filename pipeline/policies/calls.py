"""How long a call to the outside may take and how often it is tried. No call leaves without one of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pipeline.policies.retries import RetryPolicy


class Call(StrEnum):
    MODEL = "model"
    TOOL = "tool"
    SEND = "send"
    SUMMARY = "summary"
    STT = "stt"
    TTS = "tts"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """`connect_s` for the connection, `attempt_s` for each try as a whole; `retry` bounds all tries together.

    `max_in_flight` bounds what one worker process asks at the same time of one provider: of one model, of one
    channel's platform, of all tools together. It binds where MAX_IN_FLIGHT conversations would ask for more.
    """

    connect_s: float
    attempt_s: float
    retry: RetryPolicy
    max_in_flight: int


UPLOAD_S = 60.0
"""How long a file may take to go up to a platform before the message that names it is sent."""

VOICE = CallPolicy(
    connect_s=5,
    attempt_s=15,
    retry=RetryPolicy(attempts=2, total_s=32, base_s=0.5, max_s=2),
    max_in_flight=50,
)

CALLS: Mapping[Call, CallPolicy] = {
    Call.MODEL: CallPolicy(
        connect_s=5,
        attempt_s=20,
        retry=RetryPolicy(attempts=3, total_s=45, base_s=0.5, max_s=4),
        max_in_flight=100,
    ),
    Call.TOOL: CallPolicy(
        connect_s=5,
        attempt_s=12,
        retry=RetryPolicy(attempts=2, total_s=20, base_s=0.5, max_s=2),
        max_in_flight=100,
    ),
    # Tries of a send are rows: what ends them is how long a reply may still make sense, not their number.
    Call.SEND: CallPolicy(
        connect_s=5,
        attempt_s=15,
        retry=RetryPolicy(attempts=50, total_s=3600, base_s=1, max_s=300),
        max_in_flight=100,
    ),
    Call.SUMMARY: CallPolicy(
        connect_s=5,
        attempt_s=20,
        retry=RetryPolicy(attempts=1, total_s=20, base_s=0.5, max_s=4),
        max_in_flight=2,
    ),
    Call.STT: VOICE,
    Call.TTS: VOICE,
}
"""Attempts of model (20 s), tool (12 s) and voice (15 s) are the original assessment's."""
