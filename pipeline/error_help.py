"""What each error code means and what to do about it, read once from `docs/errors.md`, where people read it too."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
ROW = re.compile(r"^\| `([^`]+)` \|(.+)\|$", re.MULTILINE)
AS_ABOVE = "as above"


@dataclass(frozen=True, slots=True)
class Help:
    """`system` is what happens by itself, `person` what is left for somebody to do."""

    meaning: str
    system: str
    person: str


def parse(page: str) -> dict[str, Help]:
    """The rows of all tables of the page, by code. "as above" stands for what the row before says there."""
    return dict(_rows(page))


def _rows(page: str) -> Iterator[tuple[str, Help]]:
    above = Help("", "", "")
    for code, cells in ROW.findall(page):
        meaning, system, person = (cell.strip().replace("`", "") for cell in cells.split(" | "))
        above = Help(meaning, _resolved(system, above.system), _resolved(person, above.person))
        yield code, above


def _resolved(cell: str, above: str) -> str:
    return above + cell.removeprefix(AS_ABOVE) if cell.startswith(AS_ABOVE) else cell


HELP: Mapping[str, Help] = parse(PAGE.read_text(encoding="utf-8"))
