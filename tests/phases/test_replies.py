"""Replies as they are sent: whole, in parts that every platform takes, each with a key of its own."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.phases.response_finalize import MAX_TEXT_LENGTH, response_finalize, split
from tests.phases.states import ran, state

WORDS = st.text(st.sampled_from("ab \n\t 語😀"), max_size=400)
LIMITS = st.integers(min_value=1, max_value=40)


def without_whitespace(text: str) -> str:
    return "".join(text.split())


@settings(deadline=None)
@given(WORDS, LIMITS)
def test_parts_are_within_the_limit_and_lose_nothing_but_whitespace(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert without_whitespace("".join(parts)) == without_whitespace(text)


@given(
    st.lists(st.text("abc", min_size=1, max_size=10), max_size=80), st.integers(min_value=10, max_value=40)
)
def test_words_that_fit_a_part_are_never_cut(words: list[str], limit: int) -> None:
    assert " ".join(split(" ".join(words), limit)).split() == words


@settings(deadline=None)
@given(WORDS)
def test_text_that_fits_is_left_as_it_is(text: str) -> None:
    assert split(text, 400) == ([text.strip()] if text.strip() else [])


def test_long_reply_becomes_several_messages_in_order() -> None:
    reply = " ".join(f"word{number}" for number in range(3000))
    drafts = ran(response_finalize, replace(state(), replies=(reply, "And this."))).drafts or ()
    assert len(drafts) > 2
    assert all(len(draft.text) <= MAX_TEXT_LENGTH for draft in drafts)
    assert " ".join(draft.text for draft in drafts).split() == f"{reply} And this.".split()


def test_keys_of_the_parts_differ_and_are_the_same_on_every_attempt() -> None:
    before = replace(state(), replies=("One.", "Two.", "One."))
    first, again = (ran(response_finalize, before).drafts for _ in range(2))
    assert first == again
    assert len({draft.idempotency_key for draft in first or ()}) == 3
