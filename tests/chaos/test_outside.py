"""Providers fail in every way they know, platforms deliver tenfold and report late: nothing is lost or doubled."""

from __future__ import annotations

import httpx2
import pytest

from pipeline.simulator.faults import MODES
from tests.acceptance.load import accepted_sends, comes_to_rest, deliver, eventually
from tests.chaos.faults import REST_WITHIN_S, Outside, chance, fault_s, judged, load_of
from tests.system import System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("chaos")]

RATE = 0.3
REPORTED = ("sent", "delivered", "read")


@pytest.mark.parametrize("mode", MODES)
def test_model_and_platform_that_fail_three_times_in_ten(system: System, outside: Outside, mode: str) -> None:
    number = MODES.index(mode)
    for target in ("llm", "whatsapp"):
        outside.fault(target, mode, rate=RATE, seconds=fault_s(mode))
    load = load_of(18, copies=2, number=number)
    deliver(system, load)
    ended = judged(system, load)
    assert len(ended) == len(load.messages)


def test_every_message_delivered_ten_times_in_disorder(system: System) -> None:
    load = load_of(45, copies=10, number=20)
    deliver(system, load)
    ended = judged(system, load)
    assert {each.outcome for each in ended} == {"replied"}
    assert {each.accepted for each in ended} == {1}


def test_statuses_that_come_late_twice_and_out_of_order_settle_every_send(
    system: System, outside: Outside
) -> None:
    """Among them of sends whose answer was lost."""
    random = chance(30)
    outside.post("/_sim/settings", {"statuses": "off"})
    outside.fault("whatsapp", "disconnect_after_accept", rate=RATE)
    load = load_of(24, copies=1, number=30)
    deliver(system, load)
    judged(system, load)
    outside.mend()
    ours = {said.address for said in load.messages if said.channel == "whatsapp-demo"}
    ids = [sent["id"] for sent in accepted_sends(system) if sent["to"].lstrip("+") in ours]
    assert ids
    reports = [(sent_id, status) for sent_id in ids for status in REPORTED for _ in range(2)]
    random.shuffle(reports)
    with httpx2.Client(base_url=outside.url, timeout=30, trust_env=False) as client:
        for sent_id, status in reports:
            client.post("/_sim/status", json={"id": sent_id, "status": status}).raise_for_status()
    eventually(
        lambda: deliveries(system, ours) == {"read": len(ids)},
        within_s=60,
        otherwise=lambda: deliveries(system, ours),
    )
    comes_to_rest(system, within_s=REST_WITHIN_S)


def deliveries(system: System, addresses: set[str]) -> dict[str, int]:
    counted = system.rows(
        """
        SELECT delivery, count(*) FROM conversations_message AS message
        JOIN conversations_conversation AS conversation ON conversation.id = message.conversation_id
        JOIN conversations_contact AS contact ON contact.id = conversation.contact_id
        WHERE direction = 'out' AND contact.address = ANY(%s) GROUP BY 1
        """,
        sorted(addresses),
    )
    return {row["delivery"]: row["count"] for row in counted}
