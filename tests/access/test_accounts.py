"""Administrators of accounts cannot lift themselves, or anybody, above what they may do."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from audit.models import AuditEntry
from audit.sentences import sentence
from conversations.models import StaffScope
from tests import factories
from tests.admin.site import list_page, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator() -> User:
    return factories.member("administrator", username="ada")


@pytest.fixture
def ada(client: Client, administrator: User) -> Client:
    client.force_login(administrator)
    return client


def form(of: User, **changes: Any) -> dict[str, Any]:
    joined = {
        "date_joined_0": of.date_joined.date(),
        "date_joined_1": of.date_joined.time().replace(microsecond=0),
    }
    groups = [group.pk for group in of.groups.all()]
    fields = {"username": of.username, "is_active": "on", "is_staff": "on", "groups": groups}
    return fields | joined | changes


def test_an_administrator_makes_nobody_a_superuser(ada: Client, administrator: User) -> None:
    for account in (administrator, factories.user()):
        response = ada.post(page(account), form(account, is_superuser="on"))

        assert response.status_code == 302
        account.refresh_from_db()
        assert not account.is_superuser


def test_an_administrator_gives_no_right_that_is_not_theirs(ada: Client) -> None:
    account = factories.user()
    own = Permission.objects.get(codename="view_turn")
    beyond = Permission.objects.get(codename="delete_session", content_type__app_label="sessions")
    strong = Group.objects.create(name="strong")
    strong.permissions.add(beyond)

    for wanted in ({"user_permissions": [own.pk, beyond.pk]}, {"groups": [strong.pk]}):
        assert ada.post(page(account), form(account, **wanted)).status_code == 200
    assert not account.user_permissions.exists()
    assert not account.groups.exists()

    assert ada.post(page(account), form(account, user_permissions=[own.pk])).status_code == 302
    assert account.user_permissions.get() == own


def test_an_account_that_may_do_more_is_out_of_reach(ada: Client) -> None:
    root = factories.superuser()
    stronger = factories.user("delete_session")
    stronger.user_permissions.set(Permission.objects.filter(codename="delete_session"))
    passwords = {"password1": "another long password", "password2": "another long password"}

    for account in (root, stronger):
        assert ada.post(page(account), form(account, email="me@here.example")).status_code == 403
        assert ada.post(page(account, "password_change"), passwords).status_code == 403
        assert ada.post(page(account, "delete"), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [root.pk, stronger.pk], "post": "yes"}
    assert ada.post(list_page(User), chosen).status_code == 403
    assert User.objects.filter(pk__in=[root.pk, stronger.pk]).count() == 2


def test_a_group_that_may_do_more_is_out_of_reach(ada: Client) -> None:
    strong = Group.objects.create(name="strong")
    strong.permissions.set(Permission.objects.filter(content_type__app_label="sessions"))

    assert ada.post(page(strong), {"name": "strong", "permissions": []}).status_code == 403
    assert strong.permissions.exists()


def test_what_was_done_to_an_account_stands_in_the_trail(ada: Client) -> None:
    account = factories.user(username="bob")

    ada.post(page(account), form(account, email="bob@here.example"))
    ada.post(page(account, "delete"), {"post": "yes"})

    changed, deleted = AuditEntry.objects.order_by("id")
    assert sentence(changed).startswith("ada changed Email address")
    assert sentence(deleted) == f"ada deleted user account {account.pk}"
    assert deleted.details == {"name": "bob"}


def test_a_scope_is_set_from_the_users_page_and_each_change_is_on_record(ada: Client) -> None:
    one, two, bob = factories.tenant(name="Acme"), factories.tenant(name="Globex"), factories.user()
    add = f"/admin/conversations/staffscope/add/?user={bob.pk}"

    assert add in ada.get(page(bob)).content.decode()
    assert ada.post(add, {"user": bob.pk, "tenants": [one.pk]}).status_code == 302
    scope = StaffScope.objects.get(user=bob)
    assert "Acme" in ada.get(page(bob)).content.decode()
    ada.post(page(scope), {"tenants": [one.pk, two.pk]})
    ada.post(page(scope), {"tenants": [one.pk, two.pk]})

    narrowed = AuditEntry.objects.filter(action="staff_scope.narrowed").order_by("id")
    assert [entry.details["tenants"] for entry in narrowed] == [[one.pk], [one.pk, two.pk]]
    assert sentence(narrowed[0]) == f"ada set which tenants staff scope {scope.pk} shows"
    shown = ada.get(page(narrowed[1])).content.decode()
    assert "Tenants" in shown
    assert scope.history.first().history_user.username == "ada"

    ada.post(page(scope, "delete"), {"post": "yes"})
    assert not StaffScope.objects.exists()
    assert AuditEntry.objects.filter(action="staff_scope.lifted").count() == 1
