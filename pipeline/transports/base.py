"""What every kind of channel has in common."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from conversations.models import Channel, MessageKind
from pipeline.cleaning import storable
from pipeline.engine.statuses import StatusUpdate
from pipeline.models import EventKind
from pipeline.policies.errors import Code

Model = TypeVar("Model", bound=BaseModel)

MAX_ID_LENGTH = 255
"""What we store of a platform's ids; longer ones are replaced or refused, never cut."""


class SignatureError(Exception):
    """The request does not prove that the platform sent it. The text may be shown to the sender."""


class MalformedError(Exception):
    """The signed body is not what the platform documents. The text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """One event of a delivery. With `ignored_code` it is only recorded.

    `external_id` names the channel it is for where one POST may speak of several; empty means the POST's own.
    `payload` always has: type (a MessageKind), text, media (empty for none), provider_id, raw.
    """

    dedupe_key: str
    kind: EventKind
    address: str
    contact_name: str
    payload: dict[str, Any]
    platform_at: datetime | None
    external_id: str = ""
    ignored_code: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandReply:
    """A message from our own number. Somebody wrote it on the phone itself, unless it is a send of ours coming back.

    `by_program`: the platform knows that it was sent through its API, by us or by somebody else.
    """

    address: str
    text: str
    provider_id: str
    at: datetime
    kind: MessageKind = MessageKind.TEXT
    media: dict[str, Any] = field(default_factory=dict)
    external_id: str = ""
    by_program: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformReport:
    """How the platform's own session with the outside is. `trouble` is for people to read; empty: it works."""

    trouble: str
    at: datetime
    external_id: str = ""


@dataclass(slots=True)
class Delivery:
    """What one POST brought. `ignored_statuses` are those that tell us nothing we keep."""

    events: list[InboundEvent] = field(default_factory=list)
    statuses: list[StatusUpdate] = field(default_factory=list)
    hand_replies: list[HandReply] = field(default_factory=list)
    reports: list[PlatformReport] = field(default_factory=list)
    ignored_statuses: int = 0


class Receiver(Protocol):
    def verify(self, headers: Mapping[str, str], body: bytes, channel: Channel, *, now: datetime) -> None:
        """Constant time, over the raw body. Raises `SignatureError`."""

    def parse(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Raises `MalformedError` when nothing can be made of it; single odd events become unsupported ones."""


def read_json(model: type[Model], body: bytes) -> Model:
    """The body as `model`, in text that can be stored. Raises `MalformedError`."""
    try:
        return model.model_validate(storable(json.loads(body, parse_constant=_refuse_constant)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise MalformedError(f"{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"The body is not JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(f"{name} is not JSON")


def content_key(raw: object) -> str:
    """A dedupe key for what the platform gave no id."""
    return "sha256:" + hashlib.sha256(json.dumps(raw).encode()).hexdigest()


def unix_time(value: object, *, per_s: int = 1) -> datetime | None:
    """Unix seconds, or what there are `per_s` of, as a number or as text. None for what is no time."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(str(value)) / per_s, UTC)
    return None
