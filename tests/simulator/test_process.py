"""`python -m pipeline.simulator` as it is started beside Zupa."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.simulator.world import channels_at

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.simulator", "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "channels.json"
    file.write_text(json.dumps({"channels": channels_at("http://127.0.0.1:9")}))
    process = start("--channels", str(file), "--statuses", "off")
    try:
        assert process.stdout
        ready = re.fullmatch(r"simulator listening on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        assert ready
        assert len(httpx2.get(f"{ready[1]}/phone/channels", trust_env=False).json()) == 3
        process.send_signal(number)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("content", "says"), [("nonsense", "is not JSON"), ("[{}]", "`slug` must be")])
def test_a_bad_channel_file_stops_the_start_with_a_sentence(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "channels.json"
    file.write_text(content)
    process = start("--channels", str(file))
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert says in errors
    assert "Traceback" not in errors
