"""Switches for scripts: over HTTP with a key, and from a shell."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from conversations.models import StaffScope
from pipeline.controls import keys
from pipeline.models import ApiKey, ApiScope, Switch
from tests import factories
from tests.controls.switching import REASON, switch

pytestmark = pytest.mark.django_db
ADDRESS = "/api/switches"
RIGHTS = ("add_switch", "change_switch", "view_switch", "add_apikey", "change_apikey")


class Script:
    def __init__(self, *scopes: ApiScope, **more: Any) -> None:
        self.owner = more.pop("by", None) or factories.user(*RIGHTS)
        asked = scopes or tuple(ApiScope)
        self.made = keys.create_key(name="deploy", scopes=asked, by=self.owner, now=timezone.now(), **more)
        self.client = Client(enforce_csrf_checks=True)

    def ask(self, method: str, address: str = ADDRESS, body: Any = None, token: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token or self.made.token}"}
        answer = self.client.generic(
            method, address, json.dumps(body or {}), content_type="application/json", headers=headers
        )
        return answer.status_code, answer.json()


def asked(**fields: Any) -> dict[str, Any]:
    return {"scope": "everything", "capability": "replies", "action": "pause", "reason": REASON} | fields


def test_a_script_sets_sees_and_lifts_a_switch() -> None:
    script, tenant = Script(), factories.tenant()
    status, made = script.ask("POST", body=asked(scope="tenant", target_id=tenant.pk))
    assert (status, made["status"], made["requested_by"]) == (201, "active", script.owner.username)
    assert script.ask("GET") == (200, [made])
    status, lifted = script.ask("DELETE", f"{ADDRESS}/{made['id']}?reason=done")
    assert (status, lifted["status"]) == (200, "ended")
    assert Switch.objects.get().end_reason == "done"
    assert script.ask("GET") == (200, [])


def test_over_everything_a_scripts_word_is_not_enough() -> None:
    status, made = Script().ask("POST", body=asked())
    assert (status, made["status"]) == (202, "pending")


@pytest.mark.parametrize(
    ("token", "why"),
    [("zk_nonsense", "unknown"), ("", "revoked"), ("", "expired"), ("", "owner gone")],
)
def test_a_key_that_is_not_in_force_opens_nothing(token: str, why: str) -> None:
    script = Script()
    changes: dict[str, Any] = {"revoked": {"revoked_at": timezone.now()}}
    changes["expired"] = {"expires_at": timezone.now() - timedelta(seconds=1)}
    ApiKey.objects.update(**changes.get(why, {"name": "deploy"}))
    if why == "owner gone":
        script.owner.is_active = False
        script.owner.save()
    status, body = script.ask("GET", token=token)
    assert (status, body["error"]["code"]) == (401, "unauthenticated")
    assert set(body["error"]) == {"code", "message", "request_id"}


def test_without_a_key_there_is_nothing(client: Client) -> None:
    assert client.get(ADDRESS).status_code == 401


def test_a_key_does_what_its_scopes_say() -> None:
    reader = Script(ApiScope.READ_SWITCHES)
    assert reader.ask("GET")[0] == 200
    status, body = reader.ask("POST", body=asked())
    assert (status, body["error"]["code"]) == (403, "not_allowed")
    assert reader.ask("DELETE", f"{ADDRESS}/{switch('replies:stop').pk}")[0] == 403


def test_a_tenants_key_reaches_its_tenant_only() -> None:
    own, other = factories.tenant(), factories.tenant()
    script = Script(tenant_id=own.pk)
    theirs = switch("replies:stop", scope="tenant", target_id=other.pk)
    assert script.ask("POST", body=asked(scope="tenant", target_id=own.pk))[0] == 201
    assert script.ask("POST", body=asked(scope="tenant", target_id=other.pk))[0] == 403
    assert script.ask("POST", body=asked())[0] == 403
    assert script.ask("DELETE", f"{ADDRESS}/{theirs.pk}")[0] == 404
    assert [row["target_id"] for row in script.ask("GET")[1]] == [own.pk]


def test_a_key_loses_what_its_maker_loses() -> None:
    script, tenant = Script(), factories.tenant()
    StaffScope.objects.create(user=script.owner)
    assert script.ask("POST", body=asked(scope="tenant", target_id=tenant.pk))[0] == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"scope": "galaxy"}, 422),
        ({"capability": "voice_out"}, 422),
        ({"reason": " "}, 422),
        ({"target_id": 1}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_in_the_apis_shape(body: dict[str, Any], status: int) -> None:
    answered, refused = Script().ask("POST", body=asked(**body))
    assert answered == status
    assert set(refused["error"]) == {"code", "message", "request_id"}


def test_only_a_hash_of_the_token_is_kept() -> None:
    script = Script()
    kept = str(ApiKey.objects.values().get()) + str(ApiKey.history.values().get())
    assert script.made.token not in kept
    script.ask("GET")
    assert ApiKey.objects.get().last_used_at is not None


def run(*words: str) -> str:
    out = StringIO()
    call_command("switch", *words, stdout=out)
    return out.getvalue()


def test_a_shell_sets_approves_lists_and_lifts() -> None:
    ana, rui = factories.user(*RIGHTS, username="ana"), factories.user(*RIGHTS, username="rui")
    said = run(
        "set", "replies", "pause", "--for", "everything", "--reason", REASON, "--until", "2h", "--by", "ana"
    )
    number = str(Switch.objects.get().pk)
    assert f"switch {number} is pending: replies: pause, everything, by ana, until" in said
    assert "It touches 0 conversations" in said
    with pytest.raises(CommandError, match="another person"):
        run("approve", number, "--by", "ana")
    assert "is active" in run("approve", number, "--by", "rui")
    assert f"switch {number} is active" in run("list")
    assert "is ended" in run("lift", number, "--by", "ana", "--reason", "mended")
    assert run("list") == "Nothing is switched.\n"
    assert {ana.username, rui.username} == {"ana", "rui"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("set", "replies", "pause", "--for", "tenant", "--by", "ana"), "Say which tenant by its number"),
        (("set", "replies", "pause", "--for", "moon", "3", "--by", "ana"), "There is no scope 'moon'"),
        (
            ("set", "replies", "pause", "--for", "everything", "--until", "soon", "--by", "ana"),
            "is no end time",
        ),
        (("set", "replies", "pause", "--for", "everything", "--by", "ana"), "Say why"),
        (("set", "replies", "pause", "--for", "everything", "--by", "nobody"), "no active user 'nobody'"),
        (("lift", "99", "--by", "ana"), "There is no switch 99"),
        (("incident", "close", "--by", "ana"), "No incident is open"),
    ],
)
def test_a_shell_is_told_what_is_wrong(words: tuple[str, ...], complaint: str) -> None:
    factories.user(*RIGHTS, username="ana")
    with pytest.raises(CommandError, match=complaint):
        run(*words)


def test_an_incident_is_opened_and_closed_from_a_shell() -> None:
    factories.user(*RIGHTS, "add_incident", "change_incident", username="ana")
    assert "is open" in run("incident", "open", "--reason", "nothing answers", "--by", "ana")
    assert "is open, by ana: nothing answers" in run("list")
    assert "is active" in run(
        "set", "model", "stop", "--for", "everything", "--reason", REASON, "--by", "ana"
    )
    assert "is closed" in run("incident", "close", "--by", "ana")


def test_status_tells_scripts_what_is_switched() -> None:
    row = switch("replies:stop")
    out = StringIO()
    call_command("status", "--json", stdout=out)
    status = json.loads(out.getvalue())
    assert [(told["id"], told["status"]) for told in status["switches"]] == [(row.pk, "active")]
    assert "switches" in [problem["subject"] for problem in status["problems"]]
