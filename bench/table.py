"""What a measurement says, as a Markdown table on the terminal."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    figure: str
    aim: str = ""


def show(title: str, rows: Sequence[Row]) -> None:
    lines = [(title, "", "aim"), *(astuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    cells = [
        " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines
    ]
    rule = "-|-".join("-" * width for width in widths)
    print("", f"| {cells[0]} |", f"|-{rule}-|", *(f"| {cell} |" for cell in cells[1:]), sep="\n", flush=True)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: one of the values, never a mixture of two."""
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def spread(values: Sequence[float], form: str = "{:.1f}") -> str:
    """The median, and the lowest and highest of the rounds: on a shared machine they belong to the figure."""
    middle, low, high = (form.format(percentile(values, percent)) for percent in (50, 0, 100))
    return f"{middle} ({low} – {high})"
