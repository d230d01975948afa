"""What every turn asks and writes, compiled once: saying it in SQL takes Django longer than PostgreSQL takes to do it.

What such a statement says is still said in Django's terms; that is read when it is used for the first time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.sql import UpdateQuery

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


def slot(name: str, sql: str = "%s") -> RawSQL:
    """Where each use puts the value that it brings under this name; `sql` says what to make of it."""
    return RawSQL(sql, [_Slot(name)])  # noqa: S611 what callers give is a constant of the program


@dataclass(frozen=True, slots=True)
class _Statement:
    compiler: Any
    sql: str
    parameters: Sequence[Any]

    def execute(self, cursor: CursorWrapper, values: Mapping[str, Any]) -> None:
        filled = [values[each.name] if isinstance(each, _Slot) else each for each in self.parameters]
        cursor.execute(self.sql, filled)


class Question(Generic[Row]):
    """Its rows are dataclasses: `build` makes a queryset in which each field of `row` is a field or an annotation."""

    def __init__(self, row: type[Row], build: Callable[[], QuerySet[Any]]) -> None:
        self._row = row
        self._build = build

    def ask(self, **values: Any) -> list[Row]:
        """In the caller's transaction, if any."""
        with connection.cursor() as cursor:
            self._statement.execute(cursor, values)
            rows = cursor.fetchall()
        found = self._statement.compiler.apply_converters(rows, self._converters)
        return [self._row(**dict(zip(self._names, row, strict=True))) for row in found]

    @cached_property
    def _names(self) -> list[str]:
        return [field.name for field in fields(self._row)]

    @cached_property
    def _statement(self) -> _Statement:
        return _compiled(self._build().values_list(*self._names).query)

    @cached_property
    def _converters(self) -> Any:
        compiler = self._statement.compiler
        selected = [expression for expression, _, _ in compiler.select[: compiler.col_count]]
        return compiler.get_converters(selected)


class Change:
    """An update of the rows of `build`'s queryset; `values` may hold slots, too."""

    def __init__(self, build: Callable[[], QuerySet[Any]], **values: Any) -> None:
        self._build = build
        self._values = values

    def make(self, **values: Any) -> int:
        """In the caller's transaction, if any. The number of rows changed."""
        with connection.cursor() as cursor:
            self._statement.execute(cursor, values)
            return int(cursor.rowcount)

    @cached_property
    def _statement(self) -> _Statement:
        query: Any = self._build().query.chain(UpdateQuery)
        query.add_update_values(self._values)
        return _compiled(query)


def _compiled(query: Any) -> _Statement:
    compiler = query.get_compiler(connection.alias)
    sql, parameters = compiler.as_sql()
    return _Statement(compiler, sql, parameters)
