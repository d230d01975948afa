"""Filters that unfold has not, or not quite."""

from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from django.contrib.admin import FieldListFilter
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_time
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter, RangeDateTimeFilter

from audit.staff.scope import visible_choices


class WholeValueFilter(FieldTextFilter):
    """A text that is the field's whole value: found by the field's index. Left empty, it narrows nothing."""

    lookup = "exact"

    def __init__(
        self,
        field: Field[Any, Any],
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.lookup_kwarg = f"{field_path}__{self.lookup}"
        self.lookup_val = params.get(self.lookup_kwarg)
        FieldListFilter.__init__(self, field, request, params, model, model_admin, field_path)
        self.title = getattr(field, "verbose_name", field_path)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = (self.value() or "").strip()
        return queryset.filter(**{self.lookup_kwarg: value}) if value else queryset


class BeginningFilter(WholeValueFilter):
    """A text that the field's value begins with."""

    lookup = "startswith"


class RecordFilter(AutocompleteSelectFilter):
    """A record that the visitor sees, found by typing. Unfold's own would name any record whose key is asked for."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        model = self.field.remote_field.model
        for choice in super().choices(changelist):
            field = choice["form"].fields[self.lookup_kwarg]
            field.queryset = visible_choices(self.model_admin, model, self.request, field.queryset)
            yield choice


class MomentFilter(RangeDateTimeFilter):
    """Between two times of the viewer's zone. A date alone is its whole day; what cannot be read narrows nothing."""

    @staticmethod
    def is_used(request: HttpRequest, field: str) -> bool:
        return any(request.GET.get(f"{field}_{side}_0") for side in ("from", "to"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = self._bound("from", time.min), self._bound("to", time.max)
        if start:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": start})
        return queryset.filter(**{f"{self.parameter_name}__lte": end}) if end else queryset

    def _bound(self, side: str, otherwise: time) -> datetime | None:
        day = _read(parse_date, self._given(f"{side}_0"))
        hour = _read(parse_time, self._given(f"{side}_1")) or otherwise
        return timezone.make_aware(datetime.combine(day, hour)) if day else None

    def _given(self, name: str) -> str:
        return str(self.used_parameters.get(f"{self.parameter_name}_{name}") or "")


def _read(parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except ValueError:  # written as a date, and none: 2026-02-30
        return None
