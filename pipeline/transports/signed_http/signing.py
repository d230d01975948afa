"""Standard Webhooks (specification 1.0): `v1,<base64 HMAC-SHA256 of {id}.{timestamp}.{body}>`."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from pipeline.transports.base import SignatureError

TOLERANCE_S = 300
PREFIX = "whsec_"


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(_key(secret), content, hashlib.sha256).digest()).decode()


def verify(secrets: str, headers: Mapping[str, str], body: bytes, *, now: datetime) -> str:
    """The webhook's id. `secrets` may name two, parted by a space, while one replaces the other.

    Raises `SignatureError`, also for headers that are missing or malformed.
    """
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise SignatureError("webhook-id or webhook-timestamp is missing or malformed.")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        raise SignatureError(f"webhook-timestamp is more than {TOLERANCE_S} s away from now.")
    given = headers.get("webhook-signature", "").encode("utf-8", "replace").split()
    usable = filter(is_secret, secrets.split())
    expected = [sign(secret, webhook_id, int(timestamp), body).encode() for secret in usable]
    matches = [hmac.compare_digest(one, other) for one in given for other in expected]
    if not any(matches):
        raise SignatureError("webhook-signature does not fit this body and secret.")
    return webhook_id


def is_secret(value: str) -> bool:
    """Whether `value` is `whsec_` and the base64 of 24 to 64 bytes."""
    try:
        return value.startswith(PREFIX) and 24 <= len(_key(value)) <= 64
    except binascii.Error:
        return False


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
