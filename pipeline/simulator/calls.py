"""The calls seen per target: counted as they begin, listed as they end."""

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Call:
    """`status` is None where no answer was sent; `fault` is the mode of the fault that fell on it."""

    at: float
    target: str
    path: str
    status: int | None
    duration_s: float
    fault: str | None


@dataclass(frozen=True, slots=True)
class OpenCall:
    at: float
    begun: float
    target: str
    path: str


class CallLog:
    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._peak: Counter[str] = Counter()

    def begin(self, target: str, path: str) -> OpenCall:
        self._counts[target] += 1
        self._in_flight[target] += 1
        self._peak[target] = max(self._peak[target], self._in_flight[target])
        return OpenCall(time.time(), time.monotonic(), target, path)

    def end(self, call: OpenCall, status: int | None, fault: str | None) -> None:
        self._in_flight[call.target] = max(0, self._in_flight[call.target] - 1)
        duration_s = round(time.monotonic() - call.begun, 6)
        self._calls.append(Call(call.at, call.target, call.path, status, duration_s, fault))

    def clear(self) -> None:
        """Calls still under way stay counted as in flight."""
        self._calls.clear()
        self._counts.clear()
        self._peak = Counter(self._in_flight)

    def as_json(self, target: str | None, limit: int | None) -> dict[str, Any]:
        calls = [call for call in self._calls if target in (None, call.target)]
        return {
            "calls": [asdict(call) for call in _last(calls, limit)],
            "counts": _of(self._counts, target),
            "in_flight": _of(self._in_flight, target),
            "peak_in_flight": _of(self._peak, target),
        }


def _last(calls: list[Call], limit: int | None) -> list[Call]:
    return calls if limit is None else calls[len(calls) - min(limit, len(calls)) :]


def _of(counter: Counter[str], target: str | None) -> dict[str, int]:
    return {name: count for name, count in counter.items() if target in (None, name)}
