"""Counts what PostgreSQL is asked, by its own log: every statement, of every program, with the time it took.

The embedded server comes without pg_stat_statements. The log costs time itself, so nothing else is measured meanwhile.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from bench.stage import Stage
from zupa_site import embedded_postgres

LINE = re.compile(
    r"^\[zupa-(?P<program>\w+)\] LOG:  duration: (?P<ms>[\d.]+) ms  (?:statement|execute [^:]*): (?P<text>.*)"
)
VERB = re.compile(r"(\w+)")
TABLE = re.compile(r"(?:FROM|INTO|UPDATE)\s+(?:ONLY\s+)?\"?([a-z_]+)\"?")


@dataclass(slots=True)
class Tally:
    """`kinds`: by program and by verb and table: how many statements, and how many ms they took the server."""

    kinds: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)

    def number(self, program: str) -> int:
        return sum(number for (name, _), (number, _) in self.kinds.items() if name == program)

    def server_ms(self, program: str) -> float:
        return sum(ms for (name, _), (_, ms) in self.kinds.items() if name == program)

    def transactions(self, program: str) -> int:
        return self.kinds.get((program, "COMMIT"), (0, 0.0))[0]


@contextmanager
def counted(here: Stage) -> Iterator[Tally]:
    """Filled in when the block ends."""
    tally = Tally()
    _set(here, {"log_line_prefix": "[%a] ", "log_min_duration_statement": "0"})
    log = embedded_postgres.log_file(here.system.home)
    start = log.stat().st_size
    try:
        yield tally
    finally:
        _set(here, {"log_line_prefix": None, "log_min_duration_statement": None})
    with log.open() as lines:
        lines.seek(start)
        tally.kinds = _read(lines)


def _set(here: Stage, settings: Mapping[str, str | None]) -> None:
    with psycopg.connect(here.system.database_url, autocommit=True) as connection:
        for name, value in settings.items():
            change = f"ALTER SYSTEM SET {name} = '{value}'" if value else f"ALTER SYSTEM RESET {name}"
            connection.execute(change.encode())
        connection.execute("SELECT pg_reload_conf()")


def _read(lines: Iterator[str]) -> dict[tuple[str, str], tuple[int, float]]:
    """A statement goes on over indented lines; its first table is often not on its first line."""
    kinds: defaultdict[tuple[str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for program, ms, text in _statements(lines):
        number, total_ms = kinds[program, _kind(text)]
        kinds[program, _kind(text)] = number + 1, total_ms + ms
    return dict(kinds)


def _statements(lines: Iterator[str]) -> Iterator[tuple[str, float, str]]:
    program, ms, text = "", 0.0, ""
    for line in lines:
        if line.startswith("\t"):
            text += line
            continue
        if program:
            yield program, ms, text
        found = LINE.match(line)
        program, ms, text = (found["program"], float(found["ms"]), found["text"]) if found else ("", 0.0, "")
    if program:
        yield program, ms, text


def _kind(text: str) -> str:
    if "pg_notify" in text:
        return "NOTIFY"
    verb, table = VERB.search(text), TABLE.search(text)
    return " ".join(found[1] for found in (verb, table) if found)
