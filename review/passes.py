"""Opening a conversation is recorded; the pass it hands out is what its fragments are then fetched with.

So no fragment shows what was said to somebody who did not open the page, and refreshing one records nothing.
"""

from datetime import timedelta

from django.core import signing

SALT = "review.conversation"
LIFETIME = timedelta(hours=12)


def issue(conversation_id: int, user_id: int) -> str:
    return signing.dumps([conversation_id, user_id], salt=SALT)


def is_valid(text: str, conversation_id: int, user_id: int) -> bool:
    return _read(text) == [conversation_id, user_id]


def is_genuine(text: str) -> bool:
    """A pass of somebody's to something."""
    return _read(text) is not None


def _read(text: str) -> list[int] | None:
    try:
        conversation_id, user_id = signing.loads(text, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    return [conversation_id, user_id]
