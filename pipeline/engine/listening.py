"""Connections of their own for LISTEN, beside Django's."""

from typing import Any

from django.db import connection


def listener_parameters() -> dict[str, Any]:
    """For `psycopg.connect`, synchronous or not: Django's parameters without what only its own connections take."""
    parameters = connection.get_connection_params()
    return {
        key: value for key, value in parameters.items() if key not in ("cursor_factory", "pool", "context")
    }
