"""The demo shop answers the same question the same way."""

import pytest

from zupa_site.agent_tools import opening_hours, order_status, request_refund, talk_to_a_person


@pytest.mark.parametrize("written", ["4711", "#4711", " 4711 "])
def test_order_has_one_status_however_its_number_is_written(written: str) -> None:
    assert order_status(written) == order_status("4711")
    assert "4711" in order_status(written)


@pytest.mark.parametrize("written", ["", "0", "#000", "my order", "1" * 40, "4711; DROP TABLE"])
def test_unknown_order_is_said_to_be_unknown(written: str) -> None:
    assert "no order" in order_status(written)
    assert "no order" in request_refund(written, "broken")


def test_other_tools_answer_in_a_sentence() -> None:
    for answer in (opening_hours(), talk_to_a_person("angry"), request_refund("4711", "broken")):
        assert answer.endswith(".")
