"""The webhooks' HTTP. Each handler translates and makes one domain call; errors are answered in `zupa_site.api`."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from audit.compiled import ModelQuery, param
from audit.middleware import request_id_of
from conversations.models import Channel, ChannelKind
from pipeline.controls import switchboard
from pipeline.ingress import operations, subscription
from pipeline.ingress.errors import BodyTooLargeError, UnknownChannelError
from pipeline.transports.registry import RECEIVERS

router = Router(tags=["webhooks"])


class ReceiptSchema(Schema):
    accepted: int
    duplicates: int
    ignored: int


class ErrorBody(Schema):
    code: str
    message: str
    request_id: str


class ErrorSchema(Schema):
    error: ErrorBody


ANSWERS = {200: ReceiptSchema, frozenset({400, 401, 404, 413, 429, 503}): ErrorSchema}


@router.get("/whatsapp/{slug}", response={200: str, 403: ErrorSchema, 404: ErrorSchema})
def subscribe_whatsapp(request: HttpRequest, slug: str) -> HttpResponse:
    """Meta's subscription challenge: echoed bare when the verify token is ours."""
    challenge = subscription.answer(_channel(ChannelKind.WHATSAPP_CLOUD, slug), request.GET.dict())
    return HttpResponse(challenge, content_type="text/plain")


@router.post("/whatsapp/{slug}", response=ANSWERS)
def receive_whatsapp(request: HttpRequest, slug: str) -> operations.Receipt:
    """Messages and statuses from the WhatsApp Cloud API, signed in X-Hub-Signature-256."""
    return _receive(request, ChannelKind.WHATSAPP_CLOUD, slug)


@router.post("/http/{slug}", response=ANSWERS)
def receive_http(request: HttpRequest, slug: str) -> operations.Receipt:
    """One message from your own system, signed by Standard Webhooks."""
    return _receive(request, ChannelKind.HTTP, slug)


@router.post("/waha/{slug}", response=ANSWERS)
def receive_waha(request: HttpRequest, slug: str) -> operations.Receipt:
    """One event of WAHA's, signed in X-Webhook-Hmac: messages, hand replies, acks, the session's state."""
    return _receive(request, ChannelKind.WAHA, slug)


def _receive(request: HttpRequest, kind: ChannelKind, slug: str) -> operations.Receipt:
    """Channel, size, signature, body, in this order: nothing is parsed that is not proven to be the platform's."""
    channel = _channel(kind, slug)
    receiver, now = RECEIVERS[kind], timezone.now()
    body = _body(request)
    receiver.verify(request.headers, body, channel, now=now)
    delivery = receiver.parse(request.headers, body)
    rules = switchboard.read_if(channel.is_switched)
    return operations.accept(
        channel=channel, delivery=delivery, rules=rules, request_id=request_id_of(request), now=now
    )


def _body(request: HttpRequest) -> bytes:
    """Never more of it in memory than the limit, also where no Content-Length tells beforehand."""
    body = request.read(settings.MAX_WEBHOOK_BYTES + 1)
    if len(body) > settings.MAX_WEBHOOK_BYTES:
        raise BodyTooLargeError(settings.MAX_WEBHOOK_BYTES)
    return body


CHANNEL = ModelQuery(
    lambda: (
        Channel.objects.filter(kind=param("kind"), slug=param("slug"), is_active=True)
        .annotate(is_switched=switchboard.any_in_force())
        .select_related("tenant", "agent")
    )
)


def _channel(kind: ChannelKind, slug: str) -> Any:
    """With `is_switched`: whether any switch is in force."""
    found = CHANNEL.fetch(kind=kind, slug=slug)
    if not found:
        raise UnknownChannelError(f"There is no active {kind} channel {slug!r}.")
    return found[0]
