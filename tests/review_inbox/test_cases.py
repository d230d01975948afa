"""Decided items leave as labelled cases."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from review import cases
from review.cases import Wanted
from review.models import ReviewItem
from tests import factories
from tests.review_inbox.people import AUDITOR

CALL = {"tool": "offer_voucher", "arguments": {"order_id": "7", "amount": 50}}


def decided(**fields: Any) -> ReviewItem:
    defaults = {
        "status": "decided",
        "decision": "edit",
        "decided": {"text": "Your order is late."},
        "decided_by": factories.user(username=f"user-{ReviewItem.objects.count()}"),
        "decision_reason": "It is late.",
        "ended_at": timezone.now(),
    }
    return factories.review_item(**defaults | fields)


@pytest.mark.django_db
def test_case_holds_what_was_said_proposed_and_decided_and_the_difference() -> None:
    item = decided()
    case = cases.case(item)
    assert set(case) == {
        "id", "tenant", "kind", "input", "proposal", "why", "decision", "decided", "diff", "reason", "decided_by",
        "policy_version", "times",
    }  # fmt: skip
    assert case["input"] == [{"role": "user", "text": "Where is my order?"}]
    assert ["+", "late"] in case["diff"]
    assert (case["decision"], case["decided_by"], case["reason"]) == ("edit", "user-0", "It is late.")
    changed = {"tool": "offer_voucher", "arguments": {"order_id": "7", "amount": 20}}
    assert cases.case(decided(proposal=CALL, decided=changed))["diff"] == [["amount", "50", "20"]]
    assert cases.case(decided(decision="approve", decided=None))["diff"] is None


@pytest.mark.django_db
def test_command_prints_what_people_decided_a_line_each_and_leaves_a_trace() -> None:
    kept = decided(kind="policy")
    decided()
    factories.review_item()
    factories.review_item(status="expired", decision="reject", ended_at=timezone.now())
    printed = StringIO()
    call_command("export_cases", "--kind", "policy", "--from", "2020-01-01", stdout=printed)
    (line,) = printed.getvalue().splitlines()
    assert json.loads(line)["id"] == kept.pk
    entry = AuditEntry.objects.get(action="review_item.exported")
    assert (entry.actor, entry.actor_kind) == ("export_cases", "system")
    assert entry.details["filters"] == {"from": "2020-01-01", "kind": "policy"}


@pytest.mark.django_db
def test_scoped_reader_exports_their_tenants_alone() -> None:
    ours, _theirs = decided(), decided()
    reader = factories.scoped_user(ours.tenant, permissions=AUDITOR)
    assert [item.pk for item in cases.decided(Wanted(), reader=reader)] == [ours.pk]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")
def test_auditor_downloads_the_cases_streamed_and_that_is_recorded(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review.cases.CHUNK", 2)
    made = [decided() for _ in range(3)]
    answer = auditor.get(reverse("review:cases"), {"kind": made[0].kind})
    lines = b"".join(answer).decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [item.pk for item in made]
    assert ".jsonl" in answer.headers["Content-Disposition"]
    entry = AuditEntry.objects.get(action="review_item.exported")
    assert (entry.actor, entry.details["filters"]) == ("audrey", {"kind": made[0].kind})


@pytest.mark.django_db
def test_reviewer_without_the_right_may_not_export(reviewer: Client) -> None:
    assert reviewer.get(reverse("review:cases")).status_code == 403
    assert "Export cases" not in reviewer.get("/review/").content.decode()


def test_odd_day_is_refused(auditor: Client) -> None:
    assert auditor.get(reverse("review:cases"), {"from": "yesterday"}).status_code == 400
