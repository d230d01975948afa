from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from pipeline.engine.supervisor import SWEEP_S
from zupa_site.processes import Program, run_side_by_side

OBEDIENT = """
import os, signal, sys, time
def stop(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("x" * 200_000)
open(sys.argv[1] + sys.argv[2], "w").close()
while True:
    time.sleep(60)
"""
STUBBORN = OBEDIENT.replace("SIGTERM, stop", "SIGTERM, signal.SIG_IGN")


def test_signs_of_life_alone_do_not_wear_a_worker_process_out() -> None:
    """Replacing one costs its flights their leases; every process takes a task a second to say that it lives."""
    recycle = settings.Q_CLUSTER["recycle"]
    assert isinstance(recycle, int)
    assert recycle * SWEEP_S > timedelta(days=30).total_seconds()


def program(folder: Path, name: str, code: str = OBEDIENT, stop_within_s: float = 30) -> Program:
    """Notes its name in a file when it stops."""
    command = (sys.executable, "-c", code, str(folder / "stopped"), name)
    return Program(name=name, command=command, stop_within_s=stop_within_s)


def run(folder: Path, programs: Sequence[Program]) -> str | None:
    """Runs them until all stand, then sends what Ctrl-C in the terminal sends."""

    async def until_all_stand() -> None:
        while not all((folder / f"stopped{program.name}").exists() for program in programs):
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    async def main() -> str | None:
        interrupt = asyncio.create_task(until_all_stand())
        try:
            return await run_side_by_side(programs, folder, when_ready=lambda: None)
        finally:
            interrupt.cancel()

    return asyncio.run(main())


def test_ctrl_c_stops_all_in_the_opposite_order_of_starting(tmp_path: Path) -> None:
    assert run(tmp_path, [program(tmp_path, name) for name in ("outside", "web", "worker")]) is None
    assert (tmp_path / "stopped").read_text().split() == ["worker", "web", "outside"]


def test_a_program_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    stubborn = program(tmp_path, "stubborn", STUBBORN, stop_within_s=0.2)
    assert run(tmp_path, [program(tmp_path, "obedient"), stubborn]) is None
    assert (tmp_path / "stopped").read_text().split() == ["obedient"]


def test_one_that_ends_by_itself_is_named_and_stops_the_others(tmp_path: Path) -> None:
    ending = Program(name="ending", command=(sys.executable, "-c", "print('bye')"), stop_within_s=1)
    assert run(tmp_path, [program(tmp_path, "web"), ending]) == "ending"
    assert (tmp_path / "ending.log").read_text() == "bye\n"


def test_output_longer_than_a_buffer_is_kept(tmp_path: Path) -> None:
    run(tmp_path, [program(tmp_path, "chatty")])
    assert (tmp_path / "chatty.log").read_text() == "x" * 200_000 + "\n"
