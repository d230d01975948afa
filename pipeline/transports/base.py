"""What every kind of channel has in common."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from conversations.models import Channel
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


@dataclass(slots=True)
class Delivery:
    """What one POST brought. `ignored_statuses` are those that tell us nothing we keep."""

    events: list[InboundEvent] = field(default_factory=list)
    statuses: list[StatusUpdate] = field(default_factory=list)
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
