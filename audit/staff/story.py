"""A record's story: what happened to it, one chapter after the other."""

from dataclasses import dataclass
from datetime import datetime

from audit.staff.show import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """`at` is None where nobody noted the time. `address` leads to the record that tells more."""

    title: str
    at: datetime | None = None
    detail: str = ""
    tone: Tone = Tone.NEUTRAL
    address: str = ""
