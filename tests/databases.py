"""Fresh databases for systems under test, copied from a migrated template in milliseconds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from psycopg import sql

from zupa_site.environment import CHECKOUT

TEMPLATE_PREFIX = "zupa_template_"


def create(name: str) -> str:
    """A new, migrated database on the tests' server; returns its URL."""
    name = f"zupa_system_{name}"
    with _one_at_a_time() as connection:
        template = _template(connection)
        _do(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        _do(connection, "CREATE DATABASE {} TEMPLATE {}", name, template)
    return _url_of(name)


def drop(database_url: str) -> None:
    with _one_at_a_time() as connection:
        _do(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", urlsplit(database_url).path.lstrip("/"))


def _do(connection: psycopg.Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _url_of(database: str) -> str:
    return urlsplit(settings.ZUPA.database_url)._replace(path=f"/{database}").geturl()


@contextmanager
def _one_at_a_time() -> Iterator[psycopg.Connection]:
    """A template must not be in use while it is copied, and test processes run side by side."""
    with psycopg.connect(_url_of("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('zupa test databases'))")
        yield connection


def _template(connection: psycopg.Connection) -> str:
    """A migrated database, made once for each state of the migrations."""
    name = TEMPLATE_PREFIX + _migrations_digest()
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        draft = f"{TEMPLATE_PREFIX}draft"
        _drop_templates(connection)
        _do(connection, "CREATE DATABASE {}", draft)
        _migrate(_url_of(draft))
        _do(connection, "ALTER DATABASE {} RENAME TO {}", draft, name)
    return name


def _drop_templates(connection: psycopg.Connection) -> None:
    found = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
    for (name,) in connection.execute(found, [TEMPLATE_PREFIX]).fetchall():
        _do(connection, "DROP DATABASE {} WITH (FORCE)", name)


def _migrations_digest() -> str:
    files = [CHECKOUT / "requirements.lock", *sorted(CHECKOUT.glob("*/migrations/*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _migrate(database_url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=CHECKOUT,
        env=os.environ | {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "zupa_site.settings"},
        stdin=subprocess.DEVNULL,
        check=True,
    )
