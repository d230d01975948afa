"""What the model is told: the agent's instructions, what was said before, what is said now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations.models.agent import PROMPT_VARIABLES
from pipeline.phases.content_resolution import content_resolution
from pipeline.phases.context_assembly import context_assembly
from pipeline.phases.prompt_build import prompt_build
from pipeline.ports import ChatMessage, Role
from tests.phases.states import ran, said, state

TEMPLATE = " | ".join(f"${name}" for name in PROMPT_VARIABLES)


def instructions(template: str, **fields: object) -> str:
    before = replace(state(agent={"prompt_template": template}, **fields), context=(), content="Hello")
    prompt = ran(prompt_build, before).prompt
    assert prompt
    assert prompt[0].role is Role.SYSTEM
    return prompt[0].content


def test_every_variable_on_offer_is_filled_in() -> None:
    assert instructions(TEMPLATE) == "Ana | Demo | Bruno | en | 2026-09-01 09:00 -03"


def test_contact_without_a_name_goes_by_the_address() -> None:
    assert instructions("$contact_name", contact_name="") == "5511999990001"


@pytest.mark.parametrize("template", ["$unknown ${agent_name", "$5 off", "100 $", "$$agent_name"])
def test_odd_template_breaks_no_turn(template: str) -> None:
    assert instructions(template)


def test_name_a_contact_chose_is_not_read_as_a_template() -> None:
    assert instructions("$contact_name", contact_name="$agent_name ${now}") == "$agent_name ${now}"


def test_history_stands_between_instructions_and_what_is_said_now() -> None:
    history = tuple(ChatMessage(role=Role.USER, content=f"{number}") for number in range(30))
    before = ran(context_assembly, state("Now", history=history, agent={"history_limit": 20}))
    prompt = ran(prompt_build, ran(content_resolution, before)).prompt or ()
    assert [message.content for message in prompt[1:]] == [*(f"{n}" for n in range(10, 30)), "Now"]
    assert prompt[-1].role is Role.USER


def test_agent_without_a_memory_reads_only_what_is_said_now() -> None:
    history = (ChatMessage(role=Role.USER, content="Before"),)
    assert ran(context_assembly, state(history=history, agent={"history_limit": 0})).context == ()


def test_media_is_named_so_that_the_model_knows_what_it_cannot_see() -> None:
    picture = said("My receipt", kind="image", media={"id": "1"})
    voice = said("", kind="audio", media={"id": "2"})
    told = ran(content_resolution, state(messages=(*picture, *voice, *said("And text"))))
    assert told.content == "[image] My receipt\n[audio]\nAnd text"
