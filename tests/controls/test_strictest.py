"""Which switch counts, whatever else is in force."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import models
from pipeline.policies import switches
from pipeline.policies.switches import (
    OFFERED,
    Capability,
    Rule,
    Subject,
    SwitchAction,
    SwitchScope,
    strictest,
)

ORDER = [SwitchAction.DEGRADE, SwitchAction.PAUSE, SwitchAction.STOP]
ids = st.integers(1, 3)
subjects = st.builds(
    Subject, tenant_id=ids, channel_id=ids, agent_id=ids, conversation_id=ids, contact_id=ids
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    scope = draw(st.sampled_from(SwitchScope))
    capability = draw(st.sampled_from([Capability.REPLIES, Capability.TOOL]))
    return Rule(
        id=draw(st.integers(1, 50)),
        scope=scope,
        target_id=None if scope is SwitchScope.EVERYTHING else draw(ids),
        capability=capability,
        tool=draw(st.sampled_from(["a", "b"])) if capability is Capability.TOOL else "",
        action=draw(st.sampled_from(SwitchAction)),
    )


@given(st.lists(rules()), subjects)
def test_nothing_in_force_is_stricter_than_what_counts(in_force: list[Rule], subject: Subject) -> None:
    counts = strictest(in_force, subject, Capability.REPLIES)
    own = [rule for rule in in_force if rule.is_for(subject, Capability.REPLIES, "")]
    assert (counts is None) == (not own)
    if counts is not None:
        assert counts in own
        assert all(ORDER.index(rule.action) <= ORDER.index(counts.action) for rule in own)


@given(st.lists(rules()), subjects, st.randoms())
def test_the_order_of_the_switches_does_not_matter(
    in_force: list[Rule], subject: Subject, random: Random
) -> None:
    shuffled = random.sample(in_force, len(in_force))
    before, after = (strictest(each, subject, Capability.TOOL, "a") for each in (in_force, shuffled))
    assert (before and (before.id, before.action)) == (after and (after.id, after.action))


@given(st.lists(rules()), rules(), subjects)
def test_one_more_switch_never_allows_more(in_force: list[Rule], one: Rule, subject: Subject) -> None:
    for tool in ("a", "b"):
        before = strictest(in_force, subject, Capability.TOOL, tool)
        after = strictest([*in_force, one], subject, Capability.TOOL, tool)
        assert before is None or (
            after is not None and ORDER.index(after.action) >= ORDER.index(before.action)
        )


@given(rules(), subjects)
def test_a_switch_over_somebody_else_counts_for_nobody_here(rule: Rule, subject: Subject) -> None:
    elsewhere = replace(rule, target_id=99) if rule.target_id else rule
    if elsewhere.target_id:
        assert strictest([elsewhere], subject, rule.capability, rule.tool) is None


@pytest.mark.parametrize("name", ["SwitchScope", "Capability", "SwitchAction"])
def test_the_engines_words_are_the_databases(name: str) -> None:
    assert [word.value for word in getattr(switches, name)] == getattr(models, name).values


def test_what_is_offered_says_in_one_sentence_what_it_does() -> None:
    for offer in OFFERED.values():
        assert offer.effect.endswith(".")
        assert offer.effect.count(". ") == 0
