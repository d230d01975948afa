"""On what it was measured."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

from bench.table import Row
from zupa_site import embedded_postgres


def rows() -> list[Row]:
    one, five, _ = os.getloadavg()
    return [
        Row("cores", f"{os.cpu_count()}, {_processor()}"),
        Row("memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        Row("system", platform.platform(terse=True)),
        Row("python", platform.python_version()),
        Row("PostgreSQL", _postgres_version()),
        Row("load before the start", f"{one:.1f} (1 min), {five:.1f} (5 min)"),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine()
    )


def _postgres_version() -> str:
    postgres = embedded_postgres.programs() / "postgres"
    return subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout.split()[
        -1
    ]
