"""The classes that every admin page of ours descends from."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from audit.staff.scope import ScopedAdmin
from audit.staff.show import Text

MOST_FOUND = 500
WHOLE_VALUE = "__exact"


class LimitedPaginator(Paginator[Any]):
    """Counts no further than LIMIT rows, so that a list of a million opens as fast as a list of ten."""

    LIMIT = 10_000
    template_name = "admin/parts/pagination.html"

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.LIMIT)

    @property
    def is_limited(self) -> bool:
        """Whether there are more rows than the pages lead to: older ones are found by search and filters."""
        return self._counted > self.LIMIT

    @cached_property
    def _counted(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list.order_by()[: self.LIMIT + 1].count()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyState:
    """What an empty list says, and what to do next; the template knows a title for those without one."""

    title: Text = ""
    text: Text = ""
    address: str = ""
    action: Text = ""


class StaffAdmin(ScopedAdmin):
    """`search_fields` name lookups. Those that end in `__exact` are asked first, each by its own index; the others
    are read through only when no identifier matched. `deferred` columns are not loaded with the rows."""

    paginator = LimitedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    deferred: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        rows: QuerySet[Model] = super().get_queryset(request)
        return rows.defer(*self.deferred)

    def empty_state(self) -> EmptyState:
        return EmptyState()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        exact = [lookup for lookup in self.search_fields if lookup.endswith(WHOLE_VALUE)]
        others = [lookup for lookup in self.search_fields if lookup not in exact]
        found = _found(queryset, exact, term) or _found(queryset, others, term)
        return queryset.filter(pk__in=found), False


class ReadOnlyAdmin(StaffAdmin):
    """Rows that the engine owns. Staff look at them; nobody adds, changes or deletes one here."""

    actions = None
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        shown = context | {"show_history": False} | (self.story(obj) if obj else {})
        page: HttpResponse = super().render_change_form(request, shown, *args, **kwargs)
        return page

    def story(self, record: Any) -> dict[str, Any]:
        """What the record's own template needs beside the record."""
        return {}


def _found(queryset: QuerySet[Model], lookups: Iterable[str], term: str) -> set[Any]:
    found: set[Any] = set()
    for lookup in lookups:
        with suppress(ValueError, ValidationError):  # a term that cannot be such a value matches none
            matches = queryset.filter(**{lookup: term}).order_by("-pk").values_list("pk", flat=True)
            found.update(matches[:MOST_FOUND])
    return found
