from __future__ import annotations

import re

import pytest

from zupa_site.environment import CHECKOUT

CHAOS = re.search(r"^\t.*-m chaos (.*)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("folder", re.findall(r"tests/\w+", CHAOS[1]) if CHAOS else [])
def test_make_chaos_runs_something_of_each_folder_it_names(folder: str) -> None:
    tests = "".join(module.read_text() for module in (CHECKOUT / folder).glob("test_*.py"))
    assert "pytest.mark.chaos" in tests
