"""Meta's subscription handshake: hub.mode, hub.verify_token and hub.challenge."""

import hmac
from collections.abc import Mapping

from conversations.models import Channel
from pipeline.ingress.errors import SubscriptionRefusedError


def answer(channel: Channel, query: Mapping[str, str]) -> str:
    """The challenge to echo. Raises `SubscriptionRefusedError`."""
    given, expected = query.get("hub.verify_token", ""), channel.credentials.get("verify_token", "")
    is_known = bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
    if query.get("hub.mode") != "subscribe" or not is_known:
        raise SubscriptionRefusedError(
            "hub.mode is not 'subscribe', or hub.verify_token is not this channel's."
        )
    return query.get("hub.challenge", "")
