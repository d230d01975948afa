"""/_sim: what tests, drills and the phone page steer and read."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from pipeline.simulator.channels import parse_channels
from pipeline.simulator.endpoint import json_answer
from pipeline.simulator.errors import InputError
from pipeline.simulator.faults import TARGETS, Fault
from pipeline.simulator.fields import (
    choice_field,
    integer_field,
    limit_query,
    read_json,
    read_object,
    text_field,
)
from pipeline.simulator.hand_reply import send_hand_reply, waha_channel
from pipeline.simulator.inbound import send_inbound
from pipeline.simulator.statuses import LEVELS
from pipeline.simulator.waha_api import STATES, set_state
from pipeline.simulator.webhooks import WebhookAnswer
from pipeline.simulator.world import TELL_STATUSES, WORLD

REPORTED = ("sent", "delivered", "read", "played", "failed")
SEED_MAX = 2**53
Control = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application) -> None:
    routes: list[tuple[str, str, Control]] = [
        ("GET", "/_sim/sent", sent),
        ("GET", "/_sim/calls", calls),
        ("GET", "/_sim/faults", faults),
        ("POST", "/_sim/faults", add_fault),
        ("DELETE", "/_sim/faults", clear_faults),
        ("GET", "/_sim/channels", channels),
        ("POST", "/_sim/channels", put_channels),
        ("GET", "/_sim/settings", settings),
        ("POST", "/_sim/settings", change_settings),
        ("POST", "/_sim/inbound", inbound),
        ("POST", "/_sim/hand-reply", hand_reply),
        ("POST", "/_sim/session", session),
        ("POST", "/_sim/status", status),
        ("POST", "/_sim/reset", reset),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, path, explained(handler))


def explained(handler: Control) -> Control:
    """Bad input is answered with 400 and what to do instead."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except InputError as error:
            return json_answer({"error": {"code": "bad_request", "message": str(error)}}, status=400)

    return handle


async def sent(request: web.Request) -> web.Response:
    query = request.query
    found = request.app[WORLD].sent.as_json(query.get("channel"), query.get("to"), limit_query(request))
    return json_answer(found)


async def calls(request: web.Request) -> web.Response:
    target = request.query.get("target")
    if target is not None and target not in TARGETS:
        raise InputError(f"`target` must be one of: {', '.join(TARGETS)}")
    return json_answer(request.app[WORLD].calls.as_json(target, limit_query(request)))


async def faults(request: web.Request) -> web.Response:
    return json_answer({"faults": request.app[WORLD].faults.as_json()})


async def add_fault(request: web.Request) -> web.Response:
    world, fault = request.app[WORLD], Fault.parse(await read_object(request))
    return json_answer(world.faults.add(fault, seed=world.settings.seed).as_json(), status=201)


async def clear_faults(request: web.Request) -> web.Response:
    request.app[WORLD].faults.clear()
    return json_answer({"faults": []})


async def channels(request: web.Request) -> web.Response:
    return json_answer({"channels": [channel.as_json() for channel in request.app[WORLD].channels.all()]})


async def put_channels(request: web.Request) -> web.Response:
    body = await read_json(request)
    listed = body.get("channels") if isinstance(body, dict) else body
    for channel in parse_channels(listed):
        request.app[WORLD].channels.put(channel)
    return await channels(request)


async def settings(request: web.Request) -> web.Response:
    current = request.app[WORLD].settings
    return json_answer({"statuses": current.statuses, "seed": current.seed})


async def change_settings(request: web.Request) -> web.Response:
    data = await read_object(request)
    level = choice_field(data, "statuses", LEVELS) if "statuses" in data else None
    request.app[WORLD].configure(statuses=level, seed=integer_field(data, "seed", low=0, high=SEED_MAX))
    return await settings(request)


async def inbound(request: web.Request) -> web.Response:
    """Zupa's answer to the last copy, and to each when there were several; `status` null when none came."""
    data = await read_object(request)
    message, answers = await send_inbound(request.app[WORLD], data, origin=str(request.url.origin()))
    return _answered(message.id, answers)


async def hand_reply(request: web.Request) -> web.Response:
    """The owner of the number writes on the phone itself; answered like `inbound`."""
    return _answered(*await send_hand_reply(request.app[WORLD], await read_object(request)))


def _answered(message_id: str, answers: list[WebhookAnswer]) -> web.Response:
    body = {"id": message_id, **answers[-1].as_json()}
    if len(answers) > 1:
        body["answers"] = [answer.as_json() for answer in answers]
    return json_answer(body)


async def session(request: web.Request) -> web.Response:
    """Something befalls a WAHA session: {"channel", "state"}, such as FAILED."""
    world, data = request.app[WORLD], await read_object(request)
    channel, state = waha_channel(world, text_field(data, "channel")), choice_field(data, "state", STATES)
    await set_state(world, channel, state)
    return json_answer({"channel": channel.slug, "state": state})


async def status(request: web.Request) -> web.Response:
    """Sends one status webhook for an accepted message, whatever went before: {"id", "status", "code"?}."""
    world, data = request.app[WORLD], await read_object(request)
    message = world.sent.find(text_field(data, "id"))
    channel = world.channels.find(message.channel) if message else None
    if message is None or channel is None or channel.kind not in TELL_STATUSES:
        raise InputError("`id` must be the id of a message that a WhatsApp channel accepted: see /_sim/sent")
    name = choice_field(data, "status", REPORTED)
    code = integer_field(data, "code", low=0, high=9_999_999)
    world.statuses.report(channel, message, name, code=code)
    return json_answer({"id": message.id, "status": name})


async def reset(request: web.Request) -> web.Response:
    await request.app[WORLD].reset()
    return json_answer({"reset": True})
