"""Errors to Sentry: with the correlation ids, without what people wrote or where they can be reached."""

from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport
from sentry_sdk.types import Event, Hint

from audit import correlation


def start(*, dsn: str, environment: str, transport: Transport | None = None) -> None:
    """Report this process's errors. Neither request bodies nor local variables ever leave it."""
    options: dict[str, Any] = {"transport": transport} if transport else {}
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_with_correlation,
        **options,
    )


def _with_correlation(event: Event, hint: Hint) -> Event:
    event["tags"] = {**(event.get("tags") or {}), **correlation.current()}
    event.pop("extra", None)
    return event
