from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from zupa_site.environment import CHECKOUT

LOCKS = [CHECKOUT / "requirements.lock", CHECKOUT / "requirements-dev.lock"]


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


def asked_for(*requirements: str) -> set[str]:
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_host(lock: Path) -> None:
    assert "//" not in lock.read_text()
    assert "-index" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_hashes(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_locks_hold_what_pyproject_asks_for_and_agree() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    runtime, development = (pinned(lock) for lock in LOCKS)
    extras = project["project"]["optional-dependencies"]["redis"]
    assert asked_for(*project["project"]["dependencies"], *extras) <= set(runtime)
    assert asked_for(*project["dependency-groups"]["dev"]) <= set(development)
    assert runtime.items() <= development.items()
