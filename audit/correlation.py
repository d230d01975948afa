"""The ids that tie a log line, a span, an error report and an audit entry to one message's way.

They ride in structlog's context variables, so whatever runs inside `bound()` — also across `await` — carries them.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager

import structlog

FIELDS = (
    "request_id",
    "tenant_id",
    "conversation_id",
    "session_id",
    "contact_id",
    "event_id",
    "dedupe_key",
    "turn_id",
)

POLICY_VERSION = "policy_version"
"""Rides along while a turn runs: the history id of its agent's configuration."""


def bound(**ids: object) -> AbstractContextManager[None]:
    """Carry these ids, as text, whatever they were."""
    texts = {name: "" if value is None else str(value) for name, value in ids.items()}
    return structlog.contextvars.bound_contextvars(**texts)


def current() -> Mapping[str, str]:
    """The correlation ids in force here, as text; ids that are not known are absent."""
    context = structlog.contextvars.get_contextvars()
    return {field: str(context[field]) for field in FIELDS if context.get(field)}


def policy_version() -> object:
    """That under which everything happens here; empty outside of a turn."""
    return structlog.contextvars.get_contextvars().get(POLICY_VERSION, "")
