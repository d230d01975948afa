"""What a test asks of the model inside the customer's message: `#tool`, `#loop`, `#sleep`, `#unsure`, bad answers."""

import re
from dataclasses import dataclass

CALL = re.compile(
    r"(?:^|(?<=\s))#(tool|loop)[ \t]+(\S+)[ \t]*(.*?)[ \t]*(?=\s#(?:tool|loop)\s|$)", re.MULTILINE
)
SLEEP = re.compile(r"(?:^|\s)#sleep\s+(\d+(?:\.\d+)?)")
BAD_ANSWER = re.compile(r"(?:^|\s)#(bad-json|empty|refuse|length)(?!\S)")
UNSURE = re.compile(r"(?:^|\s)#unsure(?!\S)")
LONGEST_SLEEP_S = 3600.0


@dataclass(frozen=True, slots=True)
class WantedCall:
    """`arguments` is passed on as it was written, valid JSON or not."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Directives:
    calls: tuple[WantedCall, ...] = ()
    loops: tuple[WantedCall, ...] = ()
    sleep_s: float = 0.0
    bad_answer: str | None = None
    is_unsure: bool = False

    @classmethod
    def read(cls, text: str) -> "Directives":
        if "#" not in text:
            return cls()
        sleep = SLEEP.search(text)
        bad = BAD_ANSWER.search(text)
        return cls(
            calls=_wanted(text, "tool"),
            loops=_wanted(text, "loop"),
            sleep_s=min(float(sleep[1]), LONGEST_SLEEP_S) if sleep else 0.0,
            bad_answer=bad[1] if bad else None,
            is_unsure=bool(UNSURE.search(text)),
        )


def _wanted(text: str, kind: str) -> tuple[WantedCall, ...]:
    return tuple(WantedCall(hit[2], hit[3] or "{}") for hit in CALL.finditer(text) if hit[1] == kind)
