"""Seed the demo and print how to use it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from zupa_site.demo import summary
from zupa_site.demo.seed import DemoRefusedError, seed


class Command(BaseCommand):
    help = "Seed the demo (again: harmless) and print its addresses, logins and channel secrets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            secrets = seed(settings.ZUPA, now=timezone.now())
        except DemoRefusedError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(summary.as_json(settings.ZUPA, secrets), indent=2))
        else:
            self.stdout.write(summary.as_text(settings.ZUPA, secrets))
