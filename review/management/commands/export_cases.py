"""Print decided review items as labelled cases; docs/review.md says what they hold."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from audit.models import ActorKind
from review import cases
from review.cases import Wanted
from review.models import ReviewKind


class Command(BaseCommand):
    help = "Print decided cases as JSON Lines, oldest first: what was said, proposed, decided, and the difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="since", type=date.fromisoformat, help="first day, in UTC, such as 2026-03-01"
        )
        parser.add_argument("--to", dest="until", type=date.fromisoformat, help="last day, in UTC")
        parser.add_argument("--kind", choices=ReviewKind.values, default="", help="items of this kind alone")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Wanted(since=options["since"], until=options["until"], kind=options["kind"])
        cases.record_export(wanted, by="export_cases", kind=ActorKind.SYSTEM, now=timezone.now())
        for text in cases.lines(cases.decided(wanted)):
            self.stdout.write(text, ending="")
