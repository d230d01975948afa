"""What every played endpoint shares: the call is logged, faults fall on it, refusals are answered."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from pipeline.simulator.errors import InputError, PlatformError
from pipeline.simulator.faults import DEFAULT_HANG_S, Fault, Ruling
from pipeline.simulator.world import WORLD

HANG_CHECK_S = 0.05
DEFAULT_RETRY_AFTER_S = 1.0

Handler = Callable[[web.Request], Awaitable[web.Response]]


class HangUpError(Exception):
    """This call ends with a closed connection and no answer."""


class Vendor(Protocol):
    """How one platform words the errors that befall its clients."""

    def error(self, status: int | None, code: int | str | None) -> web.Response: ...

    def rate_limited(self, retry_after: str) -> web.Response: ...

    def bad_input(self, message: str) -> web.Response: ...


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=json.dumps(body).encode(), status=status, content_type="application/json", headers=headers
    )


def played(target: str, vendor: Vendor, effect: Handler) -> Handler:
    """The endpoint that has `effect`, unless a fault for `target` falls on the call."""

    async def handle(request: web.Request) -> web.Response:
        world = request.app[WORLD]
        call = world.calls.begin(target, request.path)
        ruling = world.faults.sample(target)
        status: int | None = None
        try:
            response = await _respond(request, vendor, effect, ruling)
            status = response.status
            return response
        except HangUpError:
            return await _hang_up(request)
        finally:
            world.calls.end(call, status, ruling.mode)

    return handle


async def _respond(request: web.Request, vendor: Vendor, effect: Handler, ruling: Ruling) -> web.Response:
    if ruling.delay_s:
        await request.app[WORLD].rest(ruling.delay_s)
    if ruling.fault:
        instead = await _instead_of_effect(request, vendor, ruling.fault)
        if instead:
            return instead
    response = await _with_effect(request, vendor, effect)
    if ruling.fault and ruling.fault.mode == "disconnect_after_accept":
        raise HangUpError
    if ruling.fault and ruling.fault.mode == "malformed" and response.status < 300:
        return _broken(response)
    return response


async def _instead_of_effect(request: web.Request, vendor: Vendor, fault: Fault) -> web.Response | None:
    if fault.mode == "error":
        return vendor.error(fault.status, fault.code)
    if fault.mode == "rate_limit":
        seconds = DEFAULT_RETRY_AFTER_S if fault.retry_after is None else fault.retry_after
        return vendor.rate_limited(f"{seconds:g}")
    if fault.mode == "hang":
        await _hold(request, DEFAULT_HANG_S if fault.seconds is None else fault.seconds)
        raise HangUpError
    if fault.mode == "disconnect_before_accept":
        raise HangUpError
    return None


async def _with_effect(request: web.Request, vendor: Vendor, effect: Handler) -> web.Response:
    try:
        return await effect(request)
    except PlatformError as refusal:
        return refusal.response
    except InputError as error:
        return vendor.bad_input(str(error))
    except web.HTTPRequestEntityTooLarge as error:
        return vendor.bad_input(error.text or "the body is too large")


async def _hold(request: web.Request, seconds: float) -> None:
    """Keeps the client waiting, until it goes or the simulator stops."""
    world, deadline = request.app[WORLD], time.monotonic() + seconds
    while not world.stopping.is_set() and time.monotonic() < deadline:
        if request.transport is None or request.transport.is_closing():
            return
        await world.rest(min(HANG_CHECK_S, max(0.0, deadline - time.monotonic())))


async def _hang_up(request: web.Request) -> web.Response:
    """Closes the connection; the response is for aiohttp alone, which finds nowhere to write it."""
    if request.transport:
        request.transport.abort()
        await asyncio.sleep(0)
    return web.Response(status=500)


def _broken(response: web.Response) -> web.Response:
    """The first half of the answer: for JSON, never JSON again."""
    body = response.body if isinstance(response.body, bytes) else b""
    return web.Response(body=body[: len(body) // 2] or b"{", content_type=response.content_type)
