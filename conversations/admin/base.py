"""What the pages of configuration share: history, one audited domain call a write, deletion that explains itself."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from audit.staff.base import StaffAdmin
from audit.staff.history import HistoryAdmin
from conversations.configuration import (
    Configuration,
    delete_configuration,
    refuse_deletion,
    save_configuration,
)


def person(request: HttpRequest) -> User:
    """Who is logged in; the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


class ConfigurationAdmin(HistoryAdmin, StaffAdmin):
    change_form_outer_before_template = "admin/parts/offers.html"
    list_fullwidth = False
    warn_unsaved_form = True

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:
        save_configuration(obj, by=person(request), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_configuration([obj], by=person(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[Any]) -> None:
        delete_configuration(queryset, by=person(request), now=timezone.now())

    def get_deleted_objects(
        self, objs: Iterable[Configuration], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Django would load every row that points here to say so; one sentence for each record says more."""
        records = list(objs)
        refusals = [sentence for record in records if (sentence := refuse_deletion(record))]
        return (
            [str(record) for record in records],
            {self.opts.verbose_name_plural: len(records)},
            set(),
            refusals,
        )
