"""The four groups, and what each may do."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import translation

from review import groups
from tests import factories
from zupa_site.admin.accounts import exceeds

DOCS = Path(__file__).resolve().parents[2] / "docs" / "access.md"
NAMES = [role.name for role in groups.ROLES]


def rights(name: str) -> set[str]:
    found = Permission.objects.filter(group__name=name).values_list("content_type__app_label", "codename")
    return {".".join(right) for right in found}


@pytest.mark.django_db
def test_the_migration_made_every_group_with_all_that_is_named() -> None:
    groups.establish()

    for role in groups.ROLES:
        given = rights(role.name)
        assert all(groups.meant((right,), given) for right in role.all_rights), role.name


@pytest.mark.django_db
def test_each_group_may_do_its_work_and_no_more() -> None:
    reviewer, operator = factories.member("reviewer"), factories.member("operator")
    auditor, administrator = factories.member("auditor"), factories.member("administrator")

    assert all(right.split(".")[1].startswith(("view_", "export_")) for right in rights("auditor"))
    assert auditor.has_perm("audit.view_auditentry")
    assert reviewer.has_perms(["review.decide_reviewitem", "conversations.take_over_conversation"])
    assert not reviewer.has_perm("pipeline.add_switch")
    assert rights("reviewer") < rights("operator")
    assert operator.has_perms(
        ["pipeline.add_switch", "pipeline.change_breaker", "conversations.pause_channel"]
    )
    assert not operator.has_perm("conversations.change_channel")
    assert administrator.has_perms(["conversations.change_agent", "auth.add_user", "pipeline.add_apikey"])
    assert all(rights(name) <= rights("administrator") for name in NAMES)


@pytest.mark.django_db(transaction=True)
def test_migrating_again_adds_rights_and_takes_none_that_staff_gave() -> None:
    before, after = [("review", "0001_initial")], [("review", "0002_groups")]
    MigrationExecutor(connection).migrate(before)
    Group.objects.filter(name="auditor").delete()
    auditor = Group.objects.create(name="auditor")
    auditor.permissions.add(Permission.objects.get(codename="change_turn"))
    try:
        MigrationExecutor(connection).migrate(after)
        MigrationExecutor(connection).migrate(before)
        MigrationExecutor(connection).migrate(after)
    finally:
        MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())

    assert {"pipeline.change_turn", "audit.view_auditentry", "review.export_reviewitem"} <= rights("auditor")


@pytest.mark.django_db
def test_what_staff_took_from_a_group_stays_taken() -> None:
    groups.establish()
    Group.objects.get(name="reviewer").permissions.clear()

    groups.establish()

    assert not rights("reviewer")


def test_every_right_that_a_group_names_exists() -> None:
    known = {
        f"{model._meta.app_label}.{codename}"
        for model in apps.get_models()
        for codename in (
            *(f"{verb}_{model._meta.model_name}" for verb in model._meta.default_permissions),
            *(codename for codename, _words in model._meta.permissions),
        )
    }

    for right in {right for role in groups.ROLES for right in role.rights}:
        assert groups.meant((right,), known), f"review/groups.py names {right}, which no model has"


def test_the_page_shows_the_groups_as_they_are() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \|$", DOCS.read_text(), flags=re.MULTILINE)

    with translation.override("en"):
        meant = [(role.name, str(role.words), _told(role)) for role in groups.ROLES]
    assert rows == meant


def _told(role: groups.Role) -> str:
    own = ", ".join(f"`{right}`" for right in role.rights)
    return f"all of `{role.above.name}`; {own}" if role.above else own


@pytest.mark.django_db
def test_a_switched_off_account_counts_by_what_it_was_given() -> None:
    sleeping = factories.member("administrator")
    User.objects.filter(pk=sleeping.pk).update(is_active=False)

    assert exceeds(sleeping, factories.member("auditor"))
