"""The page of error codes is what staff read beside a code."""

from pipeline.error_help import HELP, Help, parse
from pipeline.policies.errors import Code

PAGE = """
## The model
| code | meaning | what the system does | what a person does |
|---|---|---|---|
| `a.one` | it broke | tries again | checks the network |
| `a.two` | it was late | as above | as above; or sets `SPEED` |
| `a.three` | it is gone | gives up | nothing |
"""


def test_every_code_has_help() -> None:
    assert set(HELP) == set(Code)
    assert all(help_text.meaning and help_text.system and help_text.person for help_text in HELP.values())


def test_as_above_is_written_out() -> None:
    assert parse(PAGE)["a.two"] == Help("it was late", "tries again", "checks the network; or sets SPEED")


def test_no_help_refers_to_another_row() -> None:
    assert not [code for code, help_text in HELP.items() if "as above" in f"{help_text}"]


def test_headings_are_no_codes() -> None:
    assert set(parse(PAGE)) == {"a.one", "a.two", "a.three"}
