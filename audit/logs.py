"""Logging: JSON lines in production, readable ones in development, correlation ids on both, no message bodies."""

from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED_KEYS = frozenset(
    {
        "text",
        "content",
        "body",
        "payload",
        "address",
        "to",
        "from",
        "credentials",
        "authorization",
        "messages",
    }
)
QUIET = (
    "django_q",
    "django-q",
    "httpx2",
    "httpcore2",
    "openai",
    "asyncio",
    "daphne",
    "django.channels.server",
)


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What people wrote and where they can be reached stays out of the logs."""
    return {key: "[redacted]" if key in REDACTED_KEYS else value for key, value in event.items()}


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        redact,
    ]


def configure(*, as_json: bool) -> dict[str, Any]:
    """Set structlog up; returns Django's LOGGING, which sends the standard library's records the same way."""
    shared = _shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    render: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        render += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Not structlog's own choice, which shows the variables of every frame: what people wrote, and objects whose
        # `repr` asks the database, under the handler's lock, which may be just what is away.
        plain = structlog.dev.plain_traceback
        render += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": render,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {name: {"level": "WARNING"} for name in QUIET},
    }
