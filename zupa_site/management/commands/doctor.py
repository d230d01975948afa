"""Say what is wrong with this installation, and what to do."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from zupa_site import embedded_postgres
from zupa_site.diagnosis import Finding, Level, Patient, diagnose
from zupa_site.embedded_postgres import EmbeddedPostgresError


class Command(BaseCommand):
    help = "Check settings, database, ports, model, worker, disk, files; exit 1 if anything fails."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON list, for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        self.stdout.write(as_json(findings) if options["json"] else as_table(findings))
        failed = sum(finding.level is Level.FAIL for finding in findings)
        if failed:
            raise CommandError(f"{failed} of {len(findings)} failed.")


def examine() -> list[Finding]:
    patient = Patient(settings.ZUPA, timezone.now())
    embedded: AbstractContextManager[object] = nullcontext()
    if settings.ZUPA.embedded_database:
        embedded = embedded_postgres.in_use(settings.ZUPA.home)
    try:
        with embedded:
            return diagnose(patient)
    except EmbeddedPostgresError as error:
        return [Finding("database", Level.FAIL, str(error))]


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def as_table(findings: Sequence[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:<5} {finding.name:<{width}}  {finding.found}")
        if finding.advice:
            lines.append(f"{'':<5} {'':<{width}}  -> {finding.advice}")
    return "\n".join(lines)
