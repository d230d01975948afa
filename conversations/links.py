"""Addresses under which a platform fetches a file that is sent through it: signed, for one file, for a day."""

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.urls import reverse

SALT = "conversations.file"
LIFETIME = timedelta(days=1)


def address(attachment_id: str) -> str:
    """Absolute, at the site's public address."""
    token = signing.dumps(attachment_id, salt=SALT)
    return f"{settings.ZUPA.public_url}{reverse('file', args=[token])}"


def attachment_id(token: str) -> str | None:
    """None where the token is not ours, or too old."""
    try:
        return str(signing.loads(token, salt=SALT, max_age=LIFETIME))
    except signing.BadSignature:
        return None
