"""`python -m pipeline.simulator --host 127.0.0.1 --port 8090 [--channels FILE.json]`"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from aiohttp import web

from pipeline.simulator.app import create_app
from pipeline.simulator.channels import Channel, parse_channels
from pipeline.simulator.errors import InputError
from pipeline.simulator.statuses import LEVELS
from pipeline.simulator.world import Settings

STOP_GRACE_S = 2.0
BACKLOG = 1024


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        channels = _read_channels(options.channels)
        asyncio.run(serve(options.host, options.port, channels, Settings(options.statuses, options.seed)))
    except (InputError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    return 0


async def serve(host: str, port: int, channels: list[Channel], settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = create_app([channel.as_json() for channel in channels], settings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_GRACE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        await site.start()
        bound = runner.addresses[0]
        sys.stdout.write(f"simulator listening on http://{bound[0]}:{bound[1]}\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.simulator", description="The outside world over HTTP."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    parser.add_argument("--channels", type=Path, help='JSON: a list of channels, or {"channels": [...]}')
    parser.add_argument(
        "--statuses", choices=LEVELS, default="delivered", help="how far statuses go by themselves"
    )
    parser.add_argument("--seed", type=int, default=0, help="of faults with a rate")
    return parser


def _read_channels(path: Path | None) -> list[Channel]:
    if path is None:
        return []
    try:
        body = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    return parse_channels(body.get("channels") if isinstance(body, dict) else body)


if __name__ == "__main__":
    sys.exit(main())
