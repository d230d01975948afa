"""Keeps several programs running side by side in one terminal, and stops them in an order that loses nothing.

The process runners on offer signal all programs at once: the outside world would go away while the worker
still talks to it. Here each program gets its own session, so that the terminal's Ctrl-C reaches only us.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Program:
    name: str
    command: Sequence[str]
    stop_within_s: float
    listens_at: tuple[str, int] | None = None
    """Host and port that answer once the program is ready; None: ready at once."""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Running:
    program: Program
    process: asyncio.subprocess.Process
    output: asyncio.Task[None]

    async def stop(self) -> None:
        """SIGTERM to the program alone, which ends its own children; its group is killed when time is up."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), self.program.stop_within_s)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        await asyncio.wait([self.output], timeout=1)


async def run_side_by_side(
    programs: Sequence[Program], logs: Path, when_ready: Callable[[], None]
) -> str | None:
    """Start `programs` in order, stop them in the opposite order at a signal or when one ends by itself.

    Returns the name of the program that ended by itself, or None.
    """
    asked_to_stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    width = max(len(program.name) for program in programs)
    running: list[_Running] = []
    try:
        for program in programs:
            running.append(await _start(program, logs, width))
        return await _watch(running, asked_to_stop, when_ready)
    finally:
        say("Stopping: the worker lands what it has in flight")
        for each in reversed(running):
            await each.stop()


def say(line: str) -> None:
    """The terminal may be gone already; that must not keep us from stopping in order."""
    with suppress(OSError):
        print(line, flush=True)


async def _start(program: Program, logs: Path, width: int) -> _Running:
    process = await asyncio.create_subprocess_exec(
        *program.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | dict(program.variables),
        start_new_session=True,
    )
    assert process.stdout is not None
    copying = _copy(process.stdout, logs / f"{program.name}.log", program.name.ljust(width))
    return _Running(program, process, asyncio.create_task(copying))


async def _copy(lines: asyncio.StreamReader, log: Path, label: str) -> None:
    """To the terminal with the program's name before each line, and to a file that holds the latest run."""
    with log.open("wb") as file:
        while line := await _line(lines):
            file.write(line)
            file.flush()
            say(f"{label} | {line.decode(errors='replace').rstrip()}")


async def _line(lines: asyncio.StreamReader) -> bytes:
    """A line, or the piece of one that is longer than the reader's buffer; empty at the end."""
    try:
        return await lines.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as long:
        return await lines.readexactly(long.consumed)


async def _watch(
    running: Sequence[_Running], asked_to_stop: asyncio.Event, when_ready: Callable[[], None]
) -> str | None:
    asked = asyncio.create_task(asked_to_stop.wait())
    ends = {asyncio.create_task(each.process.wait()): each.program.name for each in running}
    ready = asyncio.create_task(_all_listen([each.program for each in running], when_ready))
    try:
        done, _ = await asyncio.wait([asked, *ends], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (asked, ready, *ends):
            task.cancel()
    return None if asked in done else next(ends[task] for task in ends if task in done)


async def _all_listen(programs: Sequence[Program], when_ready: Callable[[], None]) -> None:
    for program in programs:
        while program.listens_at and not await _listens(*program.listens_at):
            await asyncio.sleep(0.1)
    when_ready()


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
