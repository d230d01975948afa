"""Every message the platforms accepted, in order."""

from collections import OrderedDict, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 200_000


@dataclass(frozen=True, slots=True)
class SentMessage:
    """`at` is in unix seconds; `client_ref` is the sender's own reference for the message.

    `media` is the id of an uploaded file, or the address of one to fetch.
    """

    id: str
    channel: str
    to: str
    type: str
    text: str
    at: float
    client_ref: str | None
    media: str | None = None


class SentBook:
    """The last 200,000 sends, and the idempotency keys the HTTP channel has already accepted."""

    def __init__(self) -> None:
        self._sent: deque[SentMessage] = deque(maxlen=KEPT)
        self._keys: OrderedDict[tuple[str, str], str] = OrderedDict()

    def add(self, message: SentMessage) -> None:
        self._sent.append(message)

    def find(self, message_id: str) -> SentMessage | None:
        return next((message for message in reversed(self._sent) if message.id == message_id), None)

    def accepted_under(self, channel: str, key: str) -> str | None:
        return self._keys.get((channel, key))

    def remember_key(self, channel: str, key: str, message_id: str) -> None:
        self._keys[(channel, key)] = message_id
        if len(self._keys) > KEPT:
            self._keys.popitem(last=False)

    def clear(self) -> None:
        self._sent.clear()
        self._keys.clear()

    def as_json(self, channel: str | None, to: str | None, limit: int | None) -> list[dict[str, Any]]:
        found = [
            message
            for message in self._sent
            if channel in (None, message.channel) and (to is None or _same(message.to, to))
        ]
        return [
            _as_json(message) for message in (found if limit is None else found[-limit:] if limit else [])
        ]


def _same(address: str, wanted: str) -> bool:
    """A plus in a query string arrives as a space, and WhatsApp drops it anyway."""
    return address.lstrip("+") == wanted.strip().lstrip("+")


def _as_json(message: SentMessage) -> dict[str, Any]:
    """`media` stands only where there is some."""
    return {name: value for name, value in asdict(message).items() if name != "media" or value}
