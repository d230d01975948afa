"""The demo: seeded as often as one likes, never in production."""

import json
import stat
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import Agent, Channel, Tenant
from pipeline.simulator.channels import parse_channels
from zupa_site.demo.kept_secrets import FILE_NAME, DemoSecrets
from zupa_site.demo.seed import DemoRefusedError, seed
from zupa_site.demo.summary import channels_for_simulator
from zupa_site.environment import Environment, Name

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(tmp_path: Path, settings: Any) -> Environment:
    """The demo's file in a folder of the test's own."""
    settings.ZUPA = replace(settings.ZUPA, home=tmp_path)
    own: Environment = settings.ZUPA
    return own


def demo_json() -> dict[str, Any]:
    output = StringIO()
    call_command("demo", "--json", stdout=output)
    printed: dict[str, Any] = json.loads(output.getvalue())
    return printed


def test_demo_prints_the_object_of_the_contract(environment: Environment) -> None:
    printed = demo_json()
    assert set(printed) == {"tenant", "admin", "reviewer", "auditor", "channels", "simulator"}
    assert set(printed["admin"]) == {"url", "username", "password"}
    assert set(printed["reviewer"]) == set(printed["auditor"]) == {"username", "password"}
    assert set(printed["simulator"]) == {"url", "phone_url"}
    whatsapp, waha, http = printed["channels"]
    assert set(whatsapp) == {"slug", "kind", "webhook_url", "verify_token", "app_secret", "phone_number_id"}
    assert set(waha) == {"slug", "kind", "webhook_url", "hmac_key"}
    assert set(http) == {"slug", "kind", "webhook_url", "signing_secret"}
    assert whatsapp["webhook_url"] == f"{environment.public_url}/api/webhooks/whatsapp/whatsapp-demo"
    assert waha["webhook_url"] == f"{environment.public_url}/api/webhooks/waha/waha-demo"
    assert http["webhook_url"] == f"{environment.public_url}/api/webhooks/http/http-demo"


def test_printed_logins_work(environment: Environment) -> None:
    printed = demo_json()
    for login in ("admin", "reviewer", "auditor"):
        user = authenticate(username=printed[login]["username"], password=printed[login]["password"])
        assert isinstance(user, User)
        assert user.is_staff
        assert user.has_perm("conversations.view_conversation")
        assert user.has_perm("pipeline.view_turn")


def test_reviewer_decides_and_auditor_reads_the_evidence(environment: Environment) -> None:
    seed(environment, now=timezone.now())
    reviewer, auditor = User.objects.get(username="reviewer"), User.objects.get(username="auditor")
    assert reviewer.has_perm("review.decide_reviewitem")
    assert not reviewer.has_perm("audit.view_auditentry")
    assert auditor.has_perm("audit.view_auditentry")
    assert not auditor.has_perm("review.decide_reviewitem")


def test_seeding_brings_back_a_group_that_staff_deleted(environment: Environment) -> None:
    Group.objects.filter(name="auditor").delete()
    seed(environment, now=timezone.now())
    assert User.objects.get(username="auditor").has_perm("audit.view_auditentry")


def test_seeding_again_changes_nothing(environment: Environment) -> None:
    first = demo_json()
    history = [
        Agent.history.count(),
        Channel.history.count(),
        Tenant.history.count(),
        AuditEntry.objects.count(),
    ]
    assert demo_json() == first
    assert history == [
        Agent.history.count(), Channel.history.count(), Tenant.history.count(), AuditEntry.objects.count()
    ]  # fmt: skip
    assert (Tenant.objects.count(), Agent.objects.count(), Channel.objects.count()) == (1, 1, 3)
    assert User.objects.count() == 3


def test_seeding_again_follows_the_ports_and_keeps_what_staff_edited(environment: Environment) -> None:
    seed(environment, now=timezone.now())
    Agent.objects.update(prompt_template="Be brief.")
    Channel.objects.filter(slug="http-demo").update(is_active=False)
    secrets = seed(replace(environment, simulator_port=9999), now=timezone.now())
    assert secrets == DemoSecrets.kept(environment.home)
    assert Agent.objects.get().prompt_template == "Be brief."
    assert Channel.objects.get(slug="whatsapp-demo").api_url == "http://127.0.0.1:9999/graph"
    assert [channel["slug"] for channel in demo_json()["channels"]] == ["whatsapp-demo", "waha-demo"]


def test_new_database_gets_the_kept_secrets(environment: Environment) -> None:
    kept = DemoSecrets.kept(environment.home)
    assert demo_json()["admin"]["password"] == kept.admin_password
    assert Channel.objects.get(slug="whatsapp-demo").credentials["app_secret"] == kept.whatsapp_app_secret


def test_secrets_are_readable_by_their_owner_only(environment: Environment) -> None:
    DemoSecrets.kept(environment.home)
    assert stat.S_IMODE((environment.home / FILE_NAME).stat().st_mode) == 0o600


def test_secrets_of_an_older_file_are_kept_and_completed(environment: Environment) -> None:
    older = {"admin_password": "kept", "http_signing_secret": "whsec_a2VwdCBmb3IgZXZlciBhbmQgZXZlcg=="}
    (environment.home / FILE_NAME).write_text(json.dumps(older))
    first = DemoSecrets.kept(environment.home)
    assert first.admin_password == "kept"
    assert len(first.waha_hmac_key) >= 32
    assert first == DemoSecrets.kept(environment.home)


def test_demo_refuses_production(environment: Environment, settings: Any) -> None:
    settings.ZUPA = replace(environment, name=Name.PRODUCTION)
    with pytest.raises(DemoRefusedError):
        seed(settings.ZUPA, now=timezone.now())
    with pytest.raises(CommandError, match="no place in production"):
        call_command("demo")
    assert not (environment.home / FILE_NAME).exists()
    assert not Tenant.objects.exists()


def test_text_tells_where_to_click_and_how_to_log_in(environment: Environment) -> None:
    output = StringIO()
    call_command("demo", stdout=output)
    for needed in ("/review/", "/admin/", environment.simulator_url, "admin / ", "reviewer / ", "auditor / "):
        assert needed in output.getvalue()


def test_simulator_understands_the_channels_and_asks_for_their_token(environment: Environment) -> None:
    secrets = seed(environment, now=timezone.now())
    whatsapp, waha, http = parse_channels(channels_for_simulator(environment))
    assert (whatsapp.slug, waha.slug, http.slug) == ("whatsapp-demo", "waha-demo", "http-demo")
    assert waha.api_key == secrets.waha_api_key
    assert whatsapp.access_token == secrets.whatsapp_access_token
