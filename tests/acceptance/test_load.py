"""The promise as a whole, on the real processes: whatever is delivered, however often, is answered once, in order."""

from __future__ import annotations

import pytest

from tests.acceptance.load import (
    accepted_sends,
    comes_to_rest,
    deliver,
    endings,
    eventually,
    in_order,
    make_load,
)
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("acceptance")]


def test_every_message_delivered_three_times_in_disorder_is_answered_once_and_in_order(
    system: System,
) -> None:
    load = make_load(conversations=50, messages=200, copies=3, seed=20260901)
    assert (len(load.messages), len(load.deliveries), len(load.conversations())) == (200, 600, 50)

    deliver(system, load)
    comes_to_rest(system, within_s=120)

    ended = endings(system)
    assert set(ended) == {said.id for said in load.messages}
    assert {each.outcome for each in ended.values()} == {"replied"}
    assert {each.accepted for each in ended.values()} == {1}
    for said in load.conversations().values():
        assert in_order([ended[each.id] for each in said]), said
    assert len(accepted_sends(system)) == 200
    assert system.rows(
        "SELECT sum(duplicates) AS all, sum(conflicts) AS odd FROM pipeline_processedevent"
    ) == [{"all": 400, "odd": 0}]
    eventually(
        lambda: deliveries(system) == {"delivered": 160, "sent": 40},
        within_s=30,
        otherwise=lambda: deliveries(system),
    )


def deliveries(system: System) -> dict[str, int]:
    """WhatsApp reports statuses, the HTTP channel has none."""
    counted = "SELECT delivery, count(*) FROM conversations_message WHERE direction = 'out' GROUP BY 1"
    return {row["delivery"]: row["count"] for row in system.rows(counted)}
