"""The application: every platform the simulator plays, its controls, and the phone page."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiohttp import web

from pipeline.simulator import control_api, graph_api, http_channel, openai_api, waha_api
from pipeline.simulator.channels import Channel
from pipeline.simulator.phone import phone
from pipeline.simulator.world import WORLD, Settings, World

LARGEST_BODY = 101 * 1024 * 1024


def create_app(channels: Iterable[Any] = (), settings: Settings | None = None) -> web.Application:
    """`channels` are dicts as under "channels" in `manage.py demo --json`. Raises InputError."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app[WORLD] = World([Channel.parse(channel) for channel in channels], settings or Settings())
    for part in (openai_api, graph_api, waha_api, http_channel, control_api, phone):
        part.add_routes(app)
    app.cleanup_ctx.append(_webhooks)
    app.on_shutdown.append(_let_go)
    return app


async def _webhooks(app: web.Application) -> AsyncIterator[None]:
    world = app[WORLD]
    await world.webhooks.open()
    yield
    await world.cancel_deliveries()
    await world.webhooks.close()


async def _let_go(app: web.Application) -> None:
    """Ends what would keep a stopping server waiting: held calls and the phones' live feeds."""
    world = app[WORLD]
    world.stopping.set()
    world.chats.close()
