"""Errors as Meta's Graph API words them, by the documented code."""

import secrets
from typing import Any

from aiohttp import web

from pipeline.simulator.endpoint import json_answer
from pipeline.simulator.errors import PlatformError

TITLES = {
    1: "An unknown error occurred",
    2: "Service temporarily unavailable",
    4: "Application request limit reached",
    100: "Invalid parameter",
    190: "Invalid OAuth access token - Cannot parse access token",
    368: "Temporarily blocked for policies violations",
    80007: "Rate limit hit",
    130429: "Rate limit hit",
    131000: "Something went wrong",
    131005: "Access denied",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131016: "Service unavailable",
    131021: "Recipient cannot be sender",
    131026: "Message undeliverable",
    131031: "Business account has been locked",
    131047: "Re-engagement message",
    131048: "Spam rate limit hit",
    131049: "This message was not delivered to maintain healthy ecosystem engagement",
    131051: "Unsupported message type",
    131053: "Media upload error",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    131057: "Account in maintenance mode",
}
STATUSES = {1: 500, 2: 503, 4: 429, 190: 401, 80007: 429, 130429: 429, 131000: 500, 131005: 403, 131016: 503}
STATUSES |= {131048: 429, 131056: 429, 131057: 503}
OUR_BUG = 100
NO_SUCH_OBJECT = 33


class Graph:
    """Meta's error bodies."""

    def error(self, status: int | None, code: int | str | None) -> web.Response:
        number = code if isinstance(code, int) else 131000
        return graph_error(number, "The simulator was asked to fail here.", status=status)

    def rate_limited(self, retry_after: str) -> web.Response:
        details = "Cloud API message throughput has been reached."
        return graph_error(130429, details, headers={"Retry-After": retry_after})

    def bad_input(self, message: str) -> web.Response:
        return graph_error(OUR_BUG, message)


VENDOR = Graph()


def graph_error(
    code: int,
    details: str,
    *,
    status: int | None = None,
    subcode: int | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    error: dict[str, Any] = {
        "message": f"(#{code}) {TITLES.get(code, 'Error')}",
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": secrets.token_hex(8),
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    return json_answer({"error": error}, status=status or STATUSES.get(code, 400), headers=headers)


def refuse(code: int, details: str, *, subcode: int | None = None) -> PlatformError:
    return PlatformError(graph_error(code, details, subcode=subcode))


def missing(name: str) -> PlatformError:
    return refuse(131008, f"The parameter {name} is required.")
