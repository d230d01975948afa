"""The doctor says how long things can take at worst, and which tools leave the model no time to answer."""

import pytest
from django.conf import settings
from django.utils import timezone

from pipeline.agents import registry
from pipeline.agents.tools import tool
from pipeline.policies.calls import Call
from tests import factories
from zupa_site.diagnosis import Level, Patient, call_times, turn_times


def patient() -> Patient:
    return Patient(settings.ZUPA, timezone.now())


def test_every_kind_of_call_has_its_worst_case() -> None:
    findings = list(call_times(patient()))

    assert [finding.name for finding in findings] == [f"worst {call}" for call in Call]
    assert findings[0].found == "62 s (3 x 20 s, waits 2 s); 65 s if it asks us to wait"


@pytest.mark.django_db
def test_a_turn_is_bounded_by_its_deadline() -> None:
    agent = factories.agent(allowed_tools=list(registry.names()), fallback_model="other")

    (finding,) = turn_times(patient())

    assert (finding.name, finding.level) == (f"turn of {agent}", Level.OK)
    assert finding.found.startswith("90 s at worst, by its deadline")


@pytest.mark.django_db
def test_a_tool_too_slow_for_a_turn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_tools", dict(registry._discovered))
    monkeypatch.setattr(registry, "_discovered", registry._tools)

    @tool(timeout_s=60)
    def slow_search(text: str) -> str:
        """Search for a long time."""
        return text

    factories.agent(allowed_tools=["slow_search"])

    (finding,) = turn_times(patient())

    assert finding.level is Level.WARN
    assert "A turn has 45 s for its tools; these may take longer: slow_search (60 s)." in finding.advice
