"""Commands are answered without the model, in the agent's language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.phases.command_dispatch import COMMANDS, command_dispatch, is_command
from pipeline.phases.state import Decision, OpenSession, Outcome
from pipeline.phases.texts import _TEXTS, Text
from tests.engine_room import Room
from tests.phases.states import ran, state


@pytest.mark.parametrize("text", ["/help", " /HELP ", "/Help\n"])
def test_command_is_known_however_it_is_typed(text: str) -> None:
    after = ran(command_dispatch, state(text))
    assert (after.command, after.decision) == ("/help", Decision(Outcome.COMMAND))
    assert is_command(text)


@pytest.mark.parametrize("text", ["help", "/helpme", "/help me", "", "What does /help do?", "/"])
def test_anything_else_is_for_the_model(text: str) -> None:
    after = ran(command_dispatch, state(text))
    assert (after.command, after.decision, after.replies) == ("", None, None)


@pytest.mark.parametrize("language", ["en", "pt-br", "es"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_in_every_language_of_agents(command: str, language: str) -> None:
    (reply,) = ran(command_dispatch, state(command, agent={"language": language})).replies or ()
    assert reply
    if language != "en":
        assert (reply,) != ran(command_dispatch, state(command)).replies


def test_every_text_is_there_in_every_language() -> None:
    assert {language: set(texts) for language, texts in _TEXTS.items()} == {
        language: set(Text) for language in _TEXTS
    }


def test_usage_counts_the_session() -> None:
    session = OpenSession(
        id=1, last_activity_at=datetime.now(UTC), turn_count=4, prompt_tokens=1000, completion_tokens=234
    )
    (reply,) = ran(command_dispatch, state("/usage", session=session)).replies or ()
    assert "4" in reply
    assert "1234" in reply


def test_commands_never_ask_the_model(room: Room) -> None:
    keys = room.say("/help", "/usage", "/reset")
    room.work()
    assert [room.outcome(key) for key in keys] == [("command", "")] * 3
    assert len(room.accepted()) == 3
    assert room.calls("llm") == 0
