"""A message that kills whoever works on it is given up after three deaths, and takes nobody with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.acceptance.load import Load, Said
from tests.crash.judgement import survives
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("poison")]

NEIGHBOURS = 6


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    variables = {"DJANGO_SETTINGS_MODULE": "tests.crash.settings"}
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder), variables=variables) as running,
    ):
        running.rows("""UPDATE conversations_agent SET allowed_tools = '["end_the_process"]' RETURNING id""")
        yield running


def said(number: int, text: str) -> Said:
    return Said("whatsapp-demo", f"5599{number:08}", f"wamid.poison-{number}", text)


def test_poison_is_parked_and_its_neighbours_in_flight_are_answered(system: System) -> None:
    poison = said(0, "#tool end_the_process {}")
    neighbours = [said(number, f"#sleep 3 Hello {number}") for number in range(1, NEIGHBOURS + 1)]

    *answered, parked = survives(system, Load(0, (*neighbours, poison)))

    assert (parked.outcome, parked.code) == ("failed", "turn.killed_worker")
    assert {each.outcome for each in answered} == {"replied"}


def test_conversation_of_a_poison_goes_on_with_its_next_message(system: System) -> None:
    after = Said("whatsapp-demo", "559900000000", "wamid.after-poison", "Are you still there?")
    (ended,) = survives(system, Load(0, (after,)))
    assert ended.outcome == "replied"
