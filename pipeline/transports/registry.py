"""Which transport speaks for which kind of channel."""

from typing import Final

from conversations.models import ChannelKind
from pipeline.engine.outbox import Senders
from pipeline.transports.base import Receiver
from pipeline.transports.http_client import Client
from pipeline.transports.signed_http.receiver import SignedHttpReceiver
from pipeline.transports.signed_http.sender import SignedHttpSender
from pipeline.transports.waha.receiver import WahaReceiver
from pipeline.transports.waha.sender import WahaSender
from pipeline.transports.whatsapp_cloud.receiver import WhatsAppReceiver
from pipeline.transports.whatsapp_cloud.sender import WhatsAppSender

RECEIVERS: Final[dict[str, Receiver]] = {
    ChannelKind.WHATSAPP_CLOUD: WhatsAppReceiver(),
    ChannelKind.HTTP: SignedHttpReceiver(),
    ChannelKind.WAHA: WahaReceiver(),
}

SENDERS: Final[dict[str, type[WhatsAppSender | SignedHttpSender | WahaSender]]] = {
    ChannelKind.WHATSAPP_CLOUD: WhatsAppSender,
    ChannelKind.HTTP: SignedHttpSender,
    ChannelKind.WAHA: WahaSender,
}
IDEMPOTENT_KINDS: Final = tuple(kind for kind, sender in SENDERS.items() if sender.sends_idempotently)
"""Channels whose platform drops a repeat."""


def make_senders(client: Client) -> Senders:
    return {kind: sender(client) for kind, sender in SENDERS.items()}
