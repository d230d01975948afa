"""Turns that wait for people outlive everything: each goes on where it stopped, and no effect happens twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from pipeline.engine.faults import FaultPoint
from tests.acceptance.load import Load, Said, accepted_sends, comes_to_rest, deliver, eventually
from tests.crash.judgement import deaths
from tests.system import START_ORDER, System

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos, pytest.mark.xdist_group("suspended")]

VOUCHER = '#tool offer_voucher {"order_id": "1234", "amount": 50}'
DECIDE_ALL = """
from django.contrib.auth.models import User
from django.utils import timezone
from review import decisions
from review.decisions import Verdict
from review.models import ReviewDecision, ReviewItem

rita = User.objects.get(username="reviewer")
for item in ReviewItem.objects.filter(status="open", kind="tool_approval").order_by("pk"):
    decision = ReviewDecision.REJECT if item.pk % 2 else ReviewDecision.APPROVE
    verdict = Verdict(decision=decision, fingerprint=item.fingerprint, reason="By the test.")
    decisions.decide(item.pk, verdict, by=rita, now=timezone.now())
"""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder), own_postgres=True) as running,
    ):
        yield running


def proposals(number: int, *, seed: int) -> Load:
    """As many people, each of whom makes the agent propose a voucher."""
    return Load(
        seed,
        tuple(
            Said("whatsapp-demo", f"55{seed:04}{one:07}", f"wamid.{seed}-{one}", VOUCHER)
            for one in range(number)
        ),
    )


def all_suspended(system: System, number: int, *, within_s: float) -> None:
    def waiting() -> int:
        query = (
            "SELECT count(*) FROM pipeline_turn JOIN pipeline_mailbox USING (conversation_id)"
            " WHERE status = 'suspended' AND lease_owner = ''"
        )
        return int(system.rows(query)[0]["count"])

    eventually(lambda: waiting() == number, within_s=within_s, otherwise=waiting)


def model_calls(system: System) -> int:
    calls = httpx2.get(f"{system.simulator_url}/_sim/calls", timeout=30, trust_env=False).json()
    return int(calls["counts"].get("llm", 0))


def restart_everything(system: System) -> None:
    for name in reversed(START_ORDER):
        system.kill(name)
    system.stop_postgres("immediate")
    system.start_postgres()
    for name in START_ORDER:
        system.start(name)


def test_a_thousand_suspended_turns_survive_a_restart_of_everything_and_repeat_nothing(
    system: System,
) -> None:
    deliver(system, proposals(1000, seed=1))
    all_suspended(system, 1000, within_s=180)
    assert model_calls(system) == 1000
    restart_everything(system)
    assert system.rows("SELECT count(*) FROM review_reviewitem WHERE status = 'open'") == [{"count": 1000}]

    system.manage("shell", "-c", DECIDE_ALL)
    comes_to_rest(system, within_s=180)

    assert model_calls(system) == 1000, "one answer each, and no proposal asked for again"
    sent = Counter(each["to"] for each in accepted_sends(system))
    assert (len(sent), set(sent.values())) == (1000, {1})
    tools = system.rows("SELECT count(*), max(attempts) FROM pipeline_step WHERE kind = 'tool'")
    assert tools == [{"count": 500, "max": 1}]
    outcomes = system.rows("SELECT outcome, count(*) FROM pipeline_processedevent GROUP BY 1")
    assert outcomes == [{"outcome": "replied", "count": 1000}]


@pytest.mark.parametrize("point", [FaultPoint.SUSPEND_BEFORE, FaultPoint.SUSPENDED])
def test_worker_killed_while_it_sets_a_turn_aside_proposes_it_once(system: System, point: FaultPoint) -> None:
    """A turn that was in flight at three deaths is parked as failed, and people are told of that instead."""
    seed, before = 2 + list(FaultPoint).index(point), deaths(system)
    system.stop("worker")
    system.start("worker", ZUPA_KILL_AT=f"{point}=0.3")
    deliver(system, proposals(20, seed=seed))
    eventually(
        lambda: sum(turns(system, seed).values()) == 20, within_s=120, otherwise=lambda: turns(system, seed)
    )
    eventually(lambda: deaths(system) > before, within_s=30, otherwise=lambda: "nobody was killed")
    suspended = turns(system, seed).get("suspended", 0)
    items = (
        "SELECT count(*), count(DISTINCT turn_id) AS turns FROM review_reviewitem"
        " WHERE status = 'open' AND kind = 'tool_approval'"
    )
    assert suspended
    assert system.rows(items) == [{"count": suspended, "turns": suspended}]
    system.stop("worker")
    system.start("worker")
    system.manage("shell", "-c", DECIDE_ALL)
    comes_to_rest(system, within_s=120)
    sent = Counter(each["to"] for each in accepted_sends(system) if each["to"].startswith(f"55{seed:04}"))
    assert set(sent.values()) == {1}
    assert len(sent) + unknown_sends(system, seed) >= 20, "sent, or held up as unknown"


def unknown_sends(system: System, seed: int) -> int:
    query = """
        SELECT count(*) FROM conversations_message AS message
        JOIN conversations_conversation AS conversation ON conversation.id = message.conversation_id
        JOIN conversations_contact AS contact ON contact.id = conversation.contact_id
        WHERE message.delivery = 'unknown' AND starts_with(contact.address, %s)
    """
    return int(system.rows(query, f"55{seed:04}")[0]["count"])


def turns(system: System, seed: int) -> dict[str, int]:
    """How many of the load's turns do not run any more, by status."""
    query = """
        SELECT turn.status, count(*) FROM pipeline_turn AS turn
        JOIN conversations_conversation AS conversation ON conversation.id = turn.conversation_id
        JOIN conversations_contact AS contact ON contact.id = conversation.contact_id
        WHERE turn.status <> 'running' AND starts_with(contact.address, %s) GROUP BY 1
    """
    return {row["status"]: row["count"] for row in system.rows(query, f"55{seed:04}")}
