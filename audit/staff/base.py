"""The classes that every admin page of ours descends from."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from audit.staff import reading
from audit.staff.scope import ScopedAdmin
from audit.staff.show import Text

MOST_FOUND = 500
MOST_OF_A_TERM = 200
"""Characters of a search term that the trail keeps."""
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
        found = _found(queryset, exact, term)
        if not found and others:
            found = _found(queryset, others, term)
            self.searched(request, others, term, len(found))
        return queryset.filter(pk__in=found), False

    def searched(self, request: HttpRequest, lookups: Sequence[str], term: str, number: int) -> None:
        """Somebody looked the term up in these columns, and so many records were found."""


class ReadOnlyAdmin(StaffAdmin):
    """Rows that the engine owns. Staff look at them; nobody adds, changes or deletes one here.

    `discloses`: where the page shows what people said or were told, the ids under which the trail tells of each
    opening, and where the record has them. `words`: lookups in what people said; the trail tells of each search.
    A list shows no such words: what is in it can be looked through without reading anybody's conversation.
    """

    actions = None
    sortable_by = ()
    discloses: Mapping[str, str] = {}
    words: tuple[str, ...] = ()

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
        if obj and self.discloses:
            reading.record_opening(obj, self.discloses, by=request.user.get_username(), now=timezone.now())
        shown = context | {"show_history": False} | (self.story(obj) if obj else {})
        page: HttpResponse = super().render_change_form(request, shown, *args, **kwargs)
        return page

    def searched(self, request: HttpRequest, lookups: Sequence[str], term: str, number: int) -> None:
        if not set(self.words).isdisjoint(lookups):
            by = request.user.get_username()
            reading.record_search(self.model, term[:MOST_OF_A_TERM], number, by=by, now=timezone.now())

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
