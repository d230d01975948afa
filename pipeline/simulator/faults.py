"""Faults on demand: which call goes wrong, and how. Sampled before the effect, each from its own seed."""

from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from pipeline.simulator.errors import InputError
from pipeline.simulator.fields import JsonObject, choice_field, integer_field, number_field

TARGETS = ("llm", "stt", "tts", "embeddings", "models", "whatsapp", "waha", "http")
MODES = (
    "latency",
    "error",
    "rate_limit",
    "hang",
    "disconnect_after_accept",
    "disconnect_before_accept",
    "malformed",
)
FIELDS = ("target", "mode", "rate", "count", "seconds", "status", "retry_after", "code")
LONGEST_S = 3600
DEFAULT_LATENCY_S = 1.0
DEFAULT_HANG_S = 600.0


@dataclass(frozen=True, slots=True)
class Fault:
    target: str
    mode: str
    rate: float = 1.0
    count: int | None = None
    seconds: float | None = None
    status: int | None = None
    retry_after: float | None = None
    code: int | str | None = None

    @classmethod
    def parse(cls, data: JsonObject) -> "Fault":
        _refuse_unknown_fields(data)
        rate = number_field(data, "rate", low=0, high=1)
        return cls(
            target=choice_field(data, "target", TARGETS),
            mode=choice_field(data, "mode", MODES),
            rate=1.0 if rate is None else rate,
            count=integer_field(data, "count", low=1, high=1_000_000),
            seconds=number_field(data, "seconds", low=0, high=LONGEST_S),
            status=integer_field(data, "status", low=400, high=599),
            retry_after=number_field(data, "retry_after", low=0, high=LONGEST_S),
            code=_code(data),
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What befalls one call: a delay in any case, and at most one other fault."""

    delay_s: float = 0.0
    fault: Fault | None = None

    @property
    def mode(self) -> str | None:
        if self.fault:
            return self.fault.mode
        return "latency" if self.delay_s else None


class ActiveFault:
    def __init__(self, number: int, fault: Fault, seed: int) -> None:
        self.number = number
        self.fault = fault
        self.fired = 0
        self._random = Random(f"{seed}:{number}")

    def fires(self) -> bool:
        if self.fault.count is not None and self.fired >= self.fault.count:
            return False
        hit = self._random.random() < self.fault.rate
        self.fired += hit
        return hit

    def as_json(self) -> dict[str, Any]:
        set_fields = {name: value for name, value in asdict(self.fault).items() if value is not None}
        return {"id": self.number, **set_fields, "fired": self.fired}


class FaultBook:
    """The faults in force. Latencies add up; of the others the first that fires decides."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []
        self._added = 0

    def add(self, fault: Fault, *, seed: int) -> ActiveFault:
        self._added += 1
        active = ActiveFault(self._added, fault, seed)
        self._active.append(active)
        return active

    def clear(self) -> None:
        """Numbering starts again, so that the same faults added after a clear fall on the same calls."""
        self._active.clear()
        self._added = 0

    def as_json(self) -> list[dict[str, Any]]:
        return [active.as_json() for active in self._active]

    def sample(self, target: str) -> Ruling:
        delay_s = 0.0
        for active in self._active:
            if active.fault.target != target or not active.fires():
                continue
            if active.fault.mode != "latency":
                return Ruling(delay_s, active.fault)
            delay_s += DEFAULT_LATENCY_S if active.fault.seconds is None else active.fault.seconds
        return Ruling(delay_s)


def _refuse_unknown_fields(data: JsonObject) -> None:
    unknown = sorted(set(data) - set(FIELDS))
    if unknown:
        raise InputError(f"a fault has no `{unknown[0]}`; its fields are: {', '.join(FIELDS)}")


def _code(data: JsonObject) -> int | str | None:
    code = data.get("code")
    if isinstance(code, bool) or not isinstance(code, int | str | None):
        raise InputError("`code` must be the vendor's error code: a number for whatsapp, a string for OpenAI")
    return code
