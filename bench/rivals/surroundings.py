"""What `compare` tells a rival's process, and what it may ask of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Surroundings:
    database_url: str
    model_url: str
    send_url: str
    in_flight: int

    def as_variables(self) -> dict[str, str]:
        return {
            "RIVAL_DATABASE_URL": self.database_url,
            "RIVAL_MODEL_URL": self.model_url,
            "RIVAL_SEND_URL": self.send_url,
            "RIVAL_IN_FLIGHT": str(self.in_flight),
        }

    @classmethod
    def read(cls) -> "Surroundings":
        return cls(
            database_url=os.environ["RIVAL_DATABASE_URL"],
            model_url=os.environ["RIVAL_MODEL_URL"],
            send_url=os.environ["RIVAL_SEND_URL"],
            in_flight=int(os.environ["RIVAL_IN_FLIGHT"]),
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One inbound message, of a conversation of its own."""

    sender: str
    text: str


class Rival(Protocol):
    def prepare(self, around: Surroundings) -> None:
        """Make the tables."""

    def lay_in(self, around: Surroundings, messages: Sequence[Message]) -> None:
        """Queue all of them, in one transaction."""

    def work(self, around: Surroundings) -> None:
        """Answer what is queued until the process is ended."""
