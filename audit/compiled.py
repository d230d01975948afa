"""What every turn asks and writes, compiled once: saying it in SQL takes Django longer than PostgreSQL takes to do it.

What such a statement says is still said in Django's terms; that is read when it is used for the first time. It lies in
the lowest app, since all others use it.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import AutoField, F, Field, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Lookup
from django.db.models.query import get_related_populators
from django.db.models.sql import UpdateQuery

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")
Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Param:
    name: str


def param(name: str) -> RawSQL:
    """Where each use puts the value that it brings under this name."""
    return RawSQL("%s", [_Param(name)])


class _AnyOf(Lookup[Any]):
    """`= ANY(array)`: unlike IN with a subquery, an index serves it also beside an OR."""

    lookup_name = "any_of"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} = ANY({right})", (*left_parameters, *right_parameters)


def any_of(field: str, name: str, column_type: str = "bigint") -> Q:
    """That the field is one of those in the list which each use brings under this name."""
    array = RawSQL(f"%s::{column_type}[]", [_Param(name)])  # noqa: S611 a constant of the program
    return Q(_AnyOf(F(field), array))


def fetch(sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """The rows that a statement of the program's own finds, in the caller's transaction if any."""
    return list(_executed(sql, parameters).fetchall())


def execute(sql: str, parameters: Parameters = ()) -> int:
    """As `fetch`; the number of rows it found or changed."""
    return int(_executed(sql, parameters).rowcount)


def _executed(sql: str, parameters: Parameters) -> Any:
    """A cursor that has all rows already."""
    cursor = _cursor()
    cursor.execute(sql, parameters)
    return cursor.cursor


class _Thread(threading.local):
    cursor: psycopg.Cursor[Any] | None = None


_thread = _Thread()


def _cursor() -> CursorWrapper:
    """One that gives PostgreSQL a statement's values beside it: it is read and planned once for each connection.

    Kept for as long as its thread keeps the connection. Where queries are logged, Django's own, which can tell them.
    """
    database = connections[DEFAULT_DB_ALIAS]  # once: each look through `connection` costs as much as the rest
    if database.queries_logged:
        return database.cursor()
    database.close_if_health_check_failed()
    if database.connection is None:
        database.ensure_connection()
    if _thread.cursor is None or _thread.cursor.connection is not database.connection:
        _thread.cursor = psycopg.Cursor(database.connection)
    return CursorWrapper(_thread.cursor, database)


@dataclass(frozen=True, slots=True)
class _Statement:
    compiler: Any
    sql: str


class _Reading(ABC):
    @abstractmethod
    def _queryset(self) -> QuerySet[Any]: ...

    def _rows(self, values: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
        statement = self._statement
        found = fetch(statement.sql, values)
        rows: Iterable[Sequence[Any]] = statement.compiler.apply_converters(found, self._converters)
        return rows

    @cached_property
    def _statement(self) -> _Statement:
        return _compiled(self._queryset().query)

    @cached_property
    def _converters(self) -> Any:
        compiler = self._statement.compiler
        selected = [expression for expression, _, _ in compiler.select[: compiler.col_count]]
        return compiler.get_converters(selected)


class RowQuery(_Reading, Generic[Row]):
    """Its rows are dataclasses: `build` makes a queryset in which each field of `row` is a field or an annotation."""

    def __init__(self, row: type[Row], build: Callable[[], QuerySet[Any]]) -> None:
        self._row = row
        self._names = [field.name for field in fields(row)]
        self._build = build

    def fetch(self, **values: Any) -> list[Row]:
        """In the caller's transaction, if any."""
        return [self._row(**dict(zip(self._names, row, strict=True))) for row in self._rows(values)]

    def _queryset(self) -> QuerySet[Any]:
        named: QuerySet[Any] = self._build().values_list(*self._names)
        return named


class ModelQuery(_Reading):
    """Its rows are `build`'s models, with what it selects and annotates beside them."""

    def __init__(self, build: Callable[[], QuerySet[Any]]) -> None:
        self._build = build

    def fetch(self, **values: Any) -> list[Any]:
        """In the caller's transaction, if any."""
        return [self._record(row) for row in self._rows(values)]

    def _queryset(self) -> QuerySet[Any]:
        return self._build()

    def _record(self, row: Sequence[Any]) -> Any:
        """As `django.db.models.query.ModelIterable` makes it."""
        compiler = self._statement.compiler
        start, end = self._span
        record = compiler.klass_info["model"].from_db(connection.alias, self._attributes, row[start:end])
        for populator in self._populators:
            populator.populate(row, record)
        for name, position in compiler.annotation_col_map.items():
            setattr(record, name, row[position])
        return record

    @cached_property
    def _span(self) -> tuple[int, int]:
        selected = self._statement.compiler.klass_info["select_fields"]
        return selected[0], selected[-1] + 1

    @cached_property
    def _attributes(self) -> list[str]:
        start, end = self._span
        return [expression.target.attname for expression, _, _ in self._statement.compiler.select[start:end]]

    @cached_property
    def _populators(self) -> Any:
        compiler = self._statement.compiler
        populators: Any = get_related_populators
        return populators(compiler.klass_info, compiler.select, connection.alias)


class Write(ABC):
    @cached_property
    @abstractmethod
    def sql(self) -> str: ...

    def execute(self, **values: Any) -> int:
        """In the caller's transaction, if any. The number of rows written."""
        return execute(self.sql, values)


class Update(Write):
    """An update of the rows of `build`'s queryset; `values` may hold `param`s, too."""

    def __init__(self, build: Callable[[], QuerySet[Any]], **values: Any) -> None:
        self._build = build
        self._values = values

    @cached_property
    def sql(self) -> str:
        query: Any = self._build().query.chain(UpdateQuery)
        query.add_update_values(self._values)
        return _compiled(query).sql


class Insert(Write):
    """A new row of `model`; `values` are by column and may hold `param`s. What is not among them has its default."""

    def __init__(self, model: type[Model], **values: Any) -> None:
        self._model = model
        self._values = values

    @cached_property
    def sql(self) -> str:
        shape = _shape(self._model)
        return _named(
            f"{shape.head}({', '.join(['%s'] * len(shape.fields))})", map(self._value, shape.fields)
        )

    def _value(self, field: Field[Any, Any]) -> Any:
        value = self._values[field.attname] if field.attname in self._values else _default(field)
        if isinstance(value, RawSQL):
            return value.params[0]
        return field.get_db_prep_save(value, connection)


def _default(field: Field[Any, Any]) -> Any:
    default = field.get_default()
    if default != field.get_default():
        raise TypeError(
            f"{field}: its default is another for each row, so a compiled one needs a value for it."
        )
    return default


class Together(Write):
    """Several writes in one statement, in no order, and none sees what another wrote; then what `select` says."""

    def __init__(self, *writes: Write, select: str = "SELECT") -> None:
        self._writes = writes
        self._select = select

    @cached_property
    def sql(self) -> str:
        writes = ", ".join(f"write_{n} AS ({write.sql})" for n, write in enumerate(self._writes))
        return f"WITH {writes} {self._select}"


def insert(rows: Sequence[Model]) -> None:
    """New rows of one model, in order, in one statement of the caller's transaction. Keys that the database makes are
    not read back."""
    if not rows:
        return
    shape = _shape(type(rows[0]))
    values = [shape.value(field, row) for row in rows for field in shape.fields]
    execute(shape.head + ", ".join([shape.placeholders] * len(rows)), values)


@dataclass(frozen=True, slots=True)
class _Shape:
    fields: Sequence[Field[Any, Any]]
    head: str
    placeholders: str

    def value(self, field: Field[Any, Any], row: Model) -> Any:
        return field.get_db_prep_save(field.pre_save(row, add=True), connection)


@cache
def _shape(model: type[Model]) -> _Shape:
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, AutoField)]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    head = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES "  # noqa: S608 names of the program's own
    return _Shape(fields, head, f"({', '.join(['%s'] * len(fields))})")


def _compiled(query: Any) -> _Statement:
    compiler = query.get_compiler(connection.alias)
    return _Statement(compiler, _named(*compiler.as_sql()))


def _named(sql: str, parameters: Iterable[Any]) -> str:
    """Only what a use brings is a parameter: a plan for all uses can rely on the rest, as a partial index asks."""
    places = [f"{PLACE}({each.name})s" if isinstance(each, _Param) else _literal(each) for each in parameters]
    return (sql % tuple(places)).replace("%", "%%").replace(PLACE, "%")


PLACE = "\0"
"""Stands in a statement for the sign of a parameter while it is put together; no statement has it otherwise."""


def _literal(value: Any) -> str:
    with connection.cursor() as cursor:
        return str(cursor.mogrify("%s", [value]))
