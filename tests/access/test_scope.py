"""Who sees which tenants."""

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries

from conversations.access import may_see, tenant_ids, visible
from conversations.models import Conversation, Tenant
from tests import factories

pytestmark = pytest.mark.django_db


def test_staff_without_a_scope_see_all_tenants() -> None:
    anna, ours = factories.user(), factories.tenant()

    assert tenant_ids(anna) is None
    assert may_see(anna, ours.pk)
    assert may_see(anna, None)
    assert list(visible(Tenant.objects.all(), anna, "pk")) == [ours]


def test_scoped_staff_see_their_tenants_and_nothing_of_the_whole_installation() -> None:
    ours, theirs = factories.tenant(), factories.tenant()
    anna = factories.scoped_user(ours)

    assert tenant_ids(anna) == frozenset({ours.pk})
    assert may_see(anna, ours.pk)
    assert not may_see(anna, theirs.pk)
    assert not may_see(anna, None)
    assert list(visible(Tenant.objects.all(), anna, "pk")) == [ours]


def test_a_scope_without_tenants_shows_nothing() -> None:
    factories.conversation()
    anna = factories.scoped_user()

    assert tenant_ids(anna) == frozenset()
    assert not visible(Conversation.objects.all(), anna).exists()


def test_a_superuser_sees_all_tenants_in_spite_of_a_scope() -> None:
    root, theirs = factories.superuser(), factories.tenant()
    factories.staff_scope(root)

    assert tenant_ids(root) is None
    assert may_see(root, theirs.pk)


def test_the_scope_is_read_once_a_user_object(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    anna = User.objects.get(pk=factories.scoped_user(factories.tenant(), factories.tenant()).pk)

    with django_assert_num_queries(1):
        assert tenant_ids(anna) == tenant_ids(anna)
