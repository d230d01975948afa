"""The staff's pages of controls: who gets to see and to click what."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import StaffScope, Tenant
from pipeline.models import ApiKey, BlocklistEntry, Incident, Switch
from tests import factories
from tests.admin import site
from tests.controls.switching import REASON, switch

pytestmark = pytest.mark.django_db
SWITCHING = ("view_switch", "add_switch", "change_switch", "view_conversation")
SET = "/admin/pipeline/switch/add/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def lead_of(tenant: Tenant, *rights: str) -> Client:
    user = factories.user(*(rights or SWITCHING))
    StaffScope.objects.create(user=user).tenants.add(tenant)
    return signed_in(user)


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def asked(**fields: Any) -> dict[str, Any]:
    return {"what": "replies:stop", "scope": "everything", "reason": REASON} | fields


def click(client: Client, row: Switch, name: str, **data: str) -> Any:
    return client.post(reverse(f"admin:pipeline_switch_{name}", args=[row.pk]), data, follow=True)


def test_nothing_is_set_before_it_is_confirmed_and_all_that_was_said_is_kept() -> None:
    client, tenant = signed_in(factories.superuser()), factories.tenant(name="Padaria")
    said = asked(scope="tenant", tenant=tenant.pk, ends_in="3600")
    preview = text(client.post(SET, said))
    assert "What it touches now" in preview
    assert "tenant Padaria" in preview
    assert "No message is answered; its sender gets the refusal reply." in preview
    assert f'name="reason" value="{REASON.replace(chr(39), "&#x27;")}"' in preview
    assert not Switch.objects.exists()
    changed = text(client.post(SET, said | {"change": "yes"}))
    assert "What is to happen" in changed
    assert 'value="replies:stop" checked' in changed
    client.post(SET, said | {"confirmed": "yes"})
    row = Switch.objects.get()
    assert (row.status, row.tenant, row.reason) == ("active", tenant, REASON)
    assert row.ends_at is not None


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"what": "tool:stop"}, "Say which."),
        ({"scope": "tenant"}, "Say which."),
        ({"reason": ""}, "This field is required."),
        ({"ends_in": "own"}, "Say when."),
        ({"scope": "conversation", "conversation": 99}, "There is none with this number."),
        ({"what": "intake:pause", "scope": "contact"}, "Say which."),
        ({"what": "voice_out:stop"}, "Select a valid choice."),
    ],
)
def test_what_is_missing_is_said_beside_its_field(said: dict[str, Any], complaint: str) -> None:
    assert complaint in text(signed_in(factories.superuser()).post(SET, asked(**said, confirmed="yes")))
    assert not Switch.objects.exists()


@pytest.mark.parametrize(
    "make", [factories.tenant, factories.channel, factories.agent, factories.conversation, factories.contact]
)
def test_the_page_of_what_can_be_switched_leads_to_a_form_that_names_it(make: Any) -> None:
    record = make()
    name = record._meta.model_name
    staff = signed_in(factories.superuser())
    where = f"{SET}?scope={name}&amp;{name}={record.pk}"
    assert where in staff.get(site.page(record)).content.decode()
    form = text(staff.get(where.replace("&amp;", "&")))
    assert f"scope: '{name}'" in form
    looker = signed_in(factories.user(f"view_{name}"))
    assert SET not in looker.get(site.page(record)).content.decode()


def test_undo_is_one_click_from_list_page_and_strip() -> None:
    staff = signed_in(factories.superuser())
    for page in ("/admin/pipeline/switch/", "/admin/", "/review/"):
        row = switch("replies:stop")
        assert reverse("admin:pipeline_switch_lift", args=[row.pk]) in text(staff.get(page))
        answer = click(staff, row, "lift", next=page, reason="mended")
        assert answer.request["PATH_INFO"] == page
        row.refresh_from_db()
        assert (row.status, row.end_reason) == ("ended", "mended")


@pytest.mark.parametrize(
    "back", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"]
)
def test_a_click_leads_back_to_our_own_pages_only(back: str) -> None:
    answer = click(signed_in(factories.superuser()), switch("replies:stop"), "lift", next=back)
    assert answer.request["PATH_INFO"] == "/admin/pipeline/switch/"


@pytest.mark.parametrize("name", ["lift", "approve", "refuse"])
def test_who_may_only_look_changes_nothing(name: str) -> None:
    row = factories.switch(scope="everything", tenant=None, status="pending")
    looker = signed_in(factories.user("view_switch"))
    page = text(looker.get("/admin/pipeline/switch/"))
    assert "You have not the right to do this." in text(click(looker, row, name))
    assert reverse("admin:pipeline_switch_approve", args=[row.pk]) not in page
    assert looker.get(SET).status_code == 403
    assert looker.get(reverse(f"admin:pipeline_switch_{name}", args=[row.pk])).status_code == 405
    row.refresh_from_db()
    assert row.status == "pending"


def test_staff_of_a_tenant_see_and_switch_their_own() -> None:
    own, other = factories.tenant(name="Own"), factories.tenant(name="Foreign")
    lead = lead_of(own)
    theirs = factories.switch(tenant=other, reason="a foreign reason")
    everywhere = switch("memory:degrade")
    shown = text(lead.get("/admin/pipeline/switch/")) + text(lead.get("/review/"))
    assert "a foreign reason" not in shown
    assert REASON.replace("'", "&#x27;") in shown
    form = text(lead.get(SET))
    assert "Foreign" not in form
    assert 'value="everything"' not in form
    for said in (asked(), asked(scope="tenant", tenant=other.pk)):
        assert "Select a valid choice." in text(lead.post(SET, said | {"confirmed": "yes"}))
    assert lead.get(site.page(theirs)).status_code == 302
    assert "for your own tenants only, not for all" in text(click(lead, everywhere, "lift"))
    lead.post(SET, asked(scope="tenant", tenant=own.pk, confirmed="yes"))
    assert Switch.objects.filter(tenant=own, status="active").exists()


def test_an_incident_is_opened_shown_everywhere_and_closed() -> None:
    staff = signed_in(factories.superuser())
    staff.post("/admin/pipeline/incident/add/", {"reason": "The model is down"})
    incident = Incident.objects.get()
    assert "An incident is open" in text(staff.get("/review/"))
    staff.post(site.page(incident, "close"), {"confirmed": "yes", "reason": "It is up"})
    assert Incident.objects.get().closed_at is not None
    assert "An incident is open" not in text(staff.get("/admin/"))


def test_a_blocklist_entry_shows_what_it_would_have_caught_first() -> None:
    staff = signed_in(factories.superuser())
    conversation = factories.event().conversation
    assert conversation is not None
    said = {"kind": "address", "value": conversation.contact.address, "reason": "advertising"}
    preview = text(staff.post("/admin/pipeline/blocklistentry/add/", said))
    assert "What it would have caught in the last day" in preview
    assert not BlocklistEntry.objects.exists()
    staff.post("/admin/pipeline/blocklistentry/add/", said | {"confirmed": "yes"})
    entry = BlocklistEntry.objects.get()
    staff.post(site.page(entry, "unblock"), {"confirmed": "yes", "reason": "a mistake"})
    assert BlocklistEntry.objects.get().ended_at is not None


def test_a_pattern_that_is_none_is_refused_beside_its_field() -> None:
    staff = signed_in(factories.superuser())
    said = {"kind": "pattern", "value": "(55", "reason": "advertising", "confirmed": "yes"}
    assert "not a regular expression" in text(staff.post("/admin/pipeline/blocklistentry/add/", said))


def test_a_keys_token_is_shown_once_and_opens_the_api() -> None:
    staff = signed_in(factories.superuser())
    said = {"name": "deploy", "scopes": ["switches:read"]}
    made = staff.post("/admin/pipeline/apikey/add/", said)
    token = made.content.decode().split('id="token">')[1].split("<")[0]
    assert "no-store" in made["Cache-Control"]
    assert Client().get("/api/switches", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    key = ApiKey.objects.get()
    assert token not in text(staff.get(site.page(key))) + text(staff.get("/admin/pipeline/apikey/"))
    staff.post(site.page(key, "revoke"), {"confirmed": "yes", "reason": "left the company"})
    assert Client().get("/api/switches", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_strip_is_for_staff_and_costs_as_much_for_many_switches_as_for_one() -> None:
    assert Client().get("/review/strip/").status_code == 403
    assert signed_in(factories.user(is_staff=False)).get("/review/strip/").status_code == 403
    assert signed_in(factories.user()).get("/review/strip/").status_code == 403
    staff = signed_in(factories.user("view_conversation"))
    factories.switch()
    few = _queries(staff)
    for _ in range(40):
        factories.switch(conversation=None)
    assert _queries(staff) == few


def _queries(client: Client) -> int:
    client.get("/review/strip/")
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/review/strip/").status_code == 200
    return len(queries)
