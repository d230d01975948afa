"""Every class of the admin says whose rows it shows, and offers no others."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest
from django.test import RequestFactory
from simple_history.admin import SimpleHistoryAdmin

from audit.staff.history import HistoryAdmin
from audit.staff.scope import SITE_WIDE, ScopedAdmin
from conversations.models import Tenant
from tests import factories
from tests.access.world import World

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
every_class = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def pages_of(model: type[Model]) -> Any:
    return admin.site._registry[model]


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


@every_class
def test_it_says_how_to_get_to_the_tenant(model: type[Model]) -> None:
    pages = pages_of(model)

    assert isinstance(pages, ScopedAdmin), (
        f"{type(pages).__name__} must descend from audit.staff.base.StaffAdmin."
    )
    if pages.tenant_path != SITE_WIDE:
        model._default_manager.filter(
            **{f"{pages.tenant_path}__in": [1]}
        )  # raises where there is no such way


@every_class
def test_its_history_is_shown_as_its_rows_are(model: type[Model]) -> None:
    pages = pages_of(model)

    assert not isinstance(pages, SimpleHistoryAdmin) or isinstance(pages, HistoryAdmin), (
        f"{type(pages).__name__} must descend from audit.staff.history.HistoryAdmin: simple-history shows and changes "
        "rows by the right to view alone."
    )


@every_class
@pytest.mark.django_db
def test_what_belongs_to_a_tenant_is_not_of_the_whole_machine(model: type[Model]) -> None:
    """A model with a way to a tenant that says SITE_WIDE hides its rows from those they belong to."""
    relations = {field.related_model for field in model._meta.fields}

    assert Tenant not in relations or pages_of(model).tenant_path != SITE_WIDE


@pytest.mark.django_db
def test_forms_offer_only_what_one_sees() -> None:
    world = World()
    user = factories.member("administrator")
    factories.staff_scope(user, world.ours[Tenant])
    asked = 0
    for pages in filter(lambda pages: pages.has_add_permission(request_of(user)), map(pages_of, MODELS)):
        for name, offered in _choices(pages.get_form(request_of(user))()):
            if record := world.theirs.get(offered.model):
                asked += 1
                assert not offered.filter(pk=record.pk), f"{pages}.{name} offers {record} of another tenant."
    assert asked


def _choices(form: ModelForm[Any]) -> Iterator[tuple[str, QuerySet[Any]]]:
    for name, field in form.fields.items():
        if isinstance(field, ModelChoiceField) and field.queryset is not None:
            yield name, field.queryset
