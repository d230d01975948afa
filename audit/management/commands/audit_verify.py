"""Is the audit trail what it was when it was sealed? docs/audit.md says what the answer proves."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit.sealing import Head, head
from audit.verification import Report, anchor, describe, verify


class Command(BaseCommand):
    help = "Walk the chain of seals; exit with 1 and name the rows if the trail was altered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", action="store_true", help="only print the newest seal, to keep elsewhere"
        )
        parser.add_argument(
            "--from", dest="since", type=int, default=1, metavar="SEQ", help="begin at this seal"
        )
        parser.add_argument(
            "--against",
            metavar="FILE",
            help="a file with lines that --head printed: each must still be in the chain ('-': standard input)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["head"]:
            newest = head()
            self.stdout.write(_json(asdict(newest)) if options["json"] else describe(newest))
            return
        anchors = _anchors(options["against"]) if options["against"] else []
        report = verify(now=timezone.now(), since=options["since"], anchors=anchors)
        lines = [_json(_facts(report))] if options["json"] else _lines(report, len(anchors))
        for line in lines:
            self.stdout.write(line)
        if not report.is_intact:
            raise SystemExit(1)


def _anchors(name: str) -> list[Head]:
    try:
        lines = Path("/dev/stdin" if name == "-" else name).read_text().splitlines()
        return [anchor(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise CommandError(f"{name} holds no heads that `audit_verify --head` printed: {error}") from error


def _facts(report: Report) -> dict[str, Any]:
    return {
        "intact": report.is_intact,
        "checked": report.checked,
        "head": asdict(report.head),
        "findings": [asdict(finding) for finding in report.findings],
        "seconds": round(report.seconds, 3),
        "per_second": round(report.rate),
    }


def _lines(report: Report, anchors: int) -> Iterator[str]:
    for finding in report.findings:
        place = "" if finding.sequence is None else f" at {finding.sequence}"
        entry = "" if finding.entry_id is None else f", entry {finding.entry_id}"
        yield f"{finding.kind.upper()}{place}{entry}: {finding.detail}"
    yield f"{report.checked} sealed entries in {report.seconds:.1f} s, {report.rate:.0f} a second"
    if anchors:
        yield f"{anchors} exported heads compared"
    yield f"head {describe(report.head)}"
    yield "The trail is intact." if report.is_intact else "The trail is NOT intact."


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=str)
