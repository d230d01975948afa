"""`python -m bench.rivals NAME prepare | lay-in NUMBER GROUP | work`, with its surroundings in the environment."""

import importlib
import sys
from typing import cast

from bench.rivals.surroundings import Message, Rival, Surroundings
from bench.throughput import TOOL_CALL


def main(name: str, *task: str) -> None:
    rival = cast(Rival, importlib.import_module(f"bench.rivals.{name}"))
    around = Surroundings.read()
    match task:
        case ("prepare",):
            rival.prepare(around)
        case ("lay-in", number, group):
            rival.lay_in(around, [Message(f"55{group}{n:05}", TOOL_CALL) for n in range(int(number))])
            print("queued", flush=True)
        case ("work",):
            rival.work(around)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
