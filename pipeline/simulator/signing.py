"""Signatures as the platforms make and check them. Pure: the time is an argument."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from pipeline.simulator.errors import InputError

TOLERANCE_S = 300
SECRET_PREFIX = "whsec_"  # noqa: S105 - only the prefix


def meta_signature(app_secret: str, raw: bytes) -> str:
    return "sha256=" + hmac.new(app_secret.encode(), raw, hashlib.sha256).hexdigest()


def waha_signature(hmac_key: str, raw: bytes) -> str:
    return hmac.new(hmac_key.encode(), raw, hashlib.sha512).hexdigest()


def standard_key(signing_secret: str) -> bytes:
    """The key inside a Standard Webhooks secret, `whsec_` + base64."""
    try:
        key = base64.b64decode(signing_secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("`signing_secret` must be `whsec_` followed by base64") from error
    if not key:
        raise InputError("`signing_secret` must be `whsec_` followed by base64 of at least one byte")
    return key


def standard_signature(signing_secret: str, message_id: str, timestamp: str, raw: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + raw
    digest = hmac.new(standard_key(signing_secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def standard_headers(signing_secret: str, message_id: str, raw: bytes, *, now: float) -> dict[str, str]:
    timestamp = str(int(now))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": standard_signature(signing_secret, message_id, timestamp, raw),
    }


def standard_headers_fault(
    headers: Mapping[str, str], signing_secret: str, raw: bytes, *, now: float
) -> str | None:
    """Why these headers do not prove the body, or None when they do."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isascii() or not timestamp.isdigit():
        return "webhook-id and webhook-timestamp (unix seconds) are required"
    if abs(now - int(timestamp[:15])) > TOLERANCE_S:
        return "webhook-timestamp is more than 5 minutes away from now"
    expected = standard_signature(signing_secret, message_id, timestamp, raw).encode()
    offered = headers.get("webhook-signature", "").encode(errors="replace").split()
    if not any(hmac.compare_digest(expected, candidate) for candidate in offered):
        return "no signature in webhook-signature matches the body"
    return None
