"""`python -m bench [NAME ...]`: runs the measurements and prints what they found as a table."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial

from bench import ack, compare, latency, machine, overload, queries, target, throughput
from bench.table import Row, show

Measurement = Callable[[], Sequence[Row]]

MEASUREMENTS: dict[str, Measurement] = {
    "ack": ack.measure,
    "latency": latency.measure,
    "throughput": throughput.measure,
    "queries": queries.measure,
    "load": target.measure,
    "overload": overload.measure,
    "compare": compare.measure,
}


def main() -> None:
    arguments = _parser().parse_args()
    measurements = MEASUREMENTS | {
        "load": partial(target.measure, minutes=arguments.minutes, per_s=arguments.per_s),
        "overload": partial(overload.measure, per_s=arguments.per_s),
    }
    show("machine", machine.rows())
    for name in arguments.names or MEASUREMENTS:
        show(name, measurements[name]())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = ", ".join(MEASUREMENTS)
    parser.add_argument("names", nargs="*", metavar="NAME", type=_known, help=f"of: {known}; none: all")
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long `load` lasts (default: %(default)s)"
    )
    parser.add_argument(
        "--per-s",
        type=float,
        default=25.0,
        help="messages a second for `load` and `overload` (default: %(default)s)",
    )
    return parser


def _known(name: str) -> str:
    if name not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(
            f"there is no measurement {name!r}; there are: {', '.join(MEASUREMENTS)}"
        )
    return name


if __name__ == "__main__":
    main()
