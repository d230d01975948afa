"""django-q2, one task a message, on its own ORM broker: the turn runs from top to bottom in one worker process.

Its settings: `bulk` fetches ten tasks at a time, successes are not stored again (our rows tell), nothing is recycled.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.rivals.effects import Json, SyncEffects, call_tools, first
from bench.rivals.surroundings import WORKERS, Message, Surroundings

TABLES = """
CREATE TABLE turn (id bigserial PRIMARY KEY, sender text NOT NULL, finished_at timestamptz);
CREATE TABLE step (
    id bigserial PRIMARY KEY, turn_id bigint NOT NULL REFERENCES turn, key text NOT NULL,
    response jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), UNIQUE (turn_id, key)
);
"""


def prepare(around: Surroundings) -> None:
    _set_up(around)
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(TABLES)


def lay_in(around: Surroundings, messages: Sequence[Message]) -> None:
    _set_up(around)
    from django.db import transaction
    from django_q.tasks import async_task

    with transaction.atomic():
        for message in messages:
            async_task("bench.rivals.q2.answer", message.sender, message.text)


def work(around: Surroundings) -> None:
    _set_up(around)
    from django_q.cluster import Cluster

    Cluster().start()


def answer(sender: str, text: str) -> None:
    """The task."""
    effects = _effects()
    turn = _insert("INSERT INTO turn (sender) VALUES (%s) RETURNING id", sender)
    messages = first(Message(sender, text))
    asked = effects.ask(messages)
    _record(turn, "model:0", asked)
    results = call_tools(asked)
    _record(turn, "tool:0", results)
    said = effects.ask([*messages, asked, *results])
    _record(turn, "model:1", said)
    _record(turn, "send", {"id": effects.send(sender, said["content"])})
    _insert("UPDATE turn SET finished_at = now() WHERE id = %s RETURNING id", turn)


@lru_cache(maxsize=1)
def _effects() -> SyncEffects:
    return SyncEffects(Surroundings.read())


def _record(turn: int, key: str, response: Json | list[Json]) -> None:
    from psycopg.types.json import Jsonb

    statement = "INSERT INTO step (turn_id, key, response) VALUES (%s, %s, %s) RETURNING id"
    _insert(statement, turn, key, Jsonb(response))


def _insert(statement: str, *parameters: Any) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.fetchone()[0])


def _set_up(around: Surroundings) -> None:
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django_q"],
        SECRET_KEY="rival",  # noqa: S106 - signs tasks of a bench
        USE_TZ=True,
        DATABASES={"default": _database(around.database_url)},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        Q_CLUSTER={
            "name": "rival",
            "orm": "default",
            "workers": WORKERS,
            "bulk": 10,
            "poll": 0.1,
            "timeout": 60,
            "retry": 600,
            "recycle": 100_000,
            "save_limit": -1,
            "log_level": "ERROR",
        },
    )
    django.setup()


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "HOST": parse_qs(parts.query)["host"][0],
        "CONN_MAX_AGE": None,
    }
