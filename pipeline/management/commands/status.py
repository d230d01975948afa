"""What waits, what runs and what became of every event."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from pipeline.health import figures
from pipeline.health.problems import problems
from pipeline.health.status import status


class Command(BaseCommand):
    help = "Print the queue, outcomes, outbox and workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["json"]:
            self.stdout.write(json.dumps(status(now), indent=2))
            return
        for problem in problems(figures.read(now)):
            self.stdout.write(self.style.WARNING(f"! {problem.title}\n  {problem.advice}"))
        for line in _lines(status(now)):
            self.stdout.write(line)


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    queue, events = facts["queue"], facts["events"]
    yield f"queue     {queue['pending']} pending, oldest {queue['oldest_age_s']:.0f} s, {queue['in_flight']} in flight"
    yield f"events    {events['total']} in all, {events['without_outcome']} without an outcome"
    yield f"outcomes  {_counted(facts['outcomes'])}"
    yield f"outbox    {_counted(facts['outbox'])}"
    yield f"reviews   {facts['reviews_open']} open"
    for switch in facts["switches"]:
        tool = f" {switch['tool']}" if switch["tool"] else ""
        yield (
            f"switch    {switch['id']} {switch['status']}: {switch['capability']}{tool} {switch['action']},"
            f" {switch['scope']} {switch['target_id'] or ''}".rstrip()
        )
    workers = facts["workers"]
    yield f"workers   {len(workers)} alive"
    for worker in workers:
        yield f"          {worker['kind']} {worker['name']}: {worker['in_flight']} in flight"


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number) or "none"
