"""Run the simulated outside world for the demo's channels."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from pipeline.simulator.__main__ import serve
from pipeline.simulator.channels import parse_channels
from pipeline.simulator.world import Settings
from zupa_site.demo.summary import channels_for_simulator


class Command(BaseCommand):
    help = "Run the simulator: model, WhatsApp, your own systems, and a phone page to write as a customer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.ZUPA.simulator_port)

    def handle(self, *args: Any, **options: Any) -> None:
        channels = parse_channels(channels_for_simulator(settings.ZUPA))
        connection.close()
        try:
            asyncio.run(serve(options["host"], options["port"], channels, Settings()))
        except OSError as error:
            raise CommandError(f"{error}: give a free port in SIMULATOR_PORT.") from error
