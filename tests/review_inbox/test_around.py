"""Where else the inbox shows: dashboard, status, admin, the agent's risk rules."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from conversations.models import Agent
from tests import factories
from tests.admin import site
from tests.admin.test_configuration import agent_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.superuser())
    return client


def test_dashboard_tells_of_an_overdue_item_and_leads_to_the_inbox(staff: Client) -> None:
    factories.review_item()
    assert "waits for a person; the oldest" not in staff.get("/admin/").content.decode()
    factories.review_item(due_at=timezone.now() - timedelta(minutes=12))
    page = staff.get("/admin/").content.decode()
    assert "2 items wait for a person; the oldest was due 12\xa0minutes ago." in page
    assert 'href="/review/"' in page


def test_dashboard_tells_nothing_of_it_to_whoever_may_not_see_the_inbox(client: Client) -> None:
    factories.review_item(due_at=timezone.now() - timedelta(minutes=12))
    client.force_login(factories.user("view_turn"))
    assert "wait for a person" not in client.get("/admin/").content.decode()


def test_status_counts_what_is_open() -> None:
    factories.review_item()
    factories.review_item(status="settled", ended_at=timezone.now())
    printed = StringIO()
    call_command("status", "--json", stdout=printed)
    assert json.loads(printed.getvalue())["reviews_open"] == 1


def test_items_page_in_the_admin_leads_to_turn_inbox_and_history(staff: Client) -> None:
    item = factories.review_item()
    page = staff.get(site.page(item)).content.decode()
    assert item.turn is not None
    assert site.page(item.turn) in page
    assert f'href="/review/items/{item.pk}/"' in page
    assert site.page(item, "history") in page


def test_risk_rules_are_kept_as_written(staff: Client) -> None:
    agent = factories.agent()
    rules = [{"on": "confidence", "below": 0.6}]
    staff.post(site.page(agent), agent_form(agent, risk_rules=json.dumps(rules)))
    assert Agent.objects.get().risk_rules == rules


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("[{", "Enter a valid JSON."),
        ('{"on": "tool"}', "This must be a list of rules"),
        (
            '[{"on": "confidence", "below": 0.6}, {"on": "confidence", "below": 7}]',
            "Rule 2: confidence.below:",
        ),
        ('[{"on": "moon"}]', "Rule 1:"),
    ],
)
def test_rules_that_do_not_hold_water_are_refused_with_the_place(
    staff: Client, rules: str, problem: str
) -> None:
    agent = factories.agent()
    answer = staff.post(site.page(agent), agent_form(agent, risk_rules=rules))
    assert problem in answer.content.decode()
    assert Agent.objects.get().risk_rules == []
