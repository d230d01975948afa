"""Conditions that Django does not bring."""

from typing import Any

from django.db.models import CharField, Lookup


@CharField.register_lookup
class OneOf(Lookup[Any]):
    """As `in`, for the constraints of what every message writes.

    PostgreSQL reads a constraint's tree of nodes anew for each statement that writes a row: here the values are one
    node of it, with `in` they are three each.
    """

    lookup_name = "one_of"

    def get_prep_lookup(self) -> list[str]:
        return [str(value) for value in self.rhs]

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s::text[])", (*parameters, self.rhs)
