"""DBOS: one workflow a message on a DBOS queue, its effects as steps, asynchronous as DBOS recommends for waiting work.

Its queue polls each 0.1 s instead of the default 1 s, and holds as many in flight a process as Zupa does.
"""

import os
import threading
from collections.abc import Sequence
from functools import lru_cache

import sqlalchemy
from dbos import DBOS, DBOSClient

from bench.rivals.effects import Effects, Json, call_tools, first
from bench.rivals.surroundings import Message, Surroundings

NAME = "rival"
QUEUE = "messages"
POLL_S = 0.1


@lru_cache(maxsize=1)
def _effects() -> Effects:
    return Effects(Surroundings.read())


@DBOS.step()
async def ask(messages: list[Json]) -> Json:
    return await _effects().ask(messages)


@DBOS.step()
async def use_tools(asked: Json) -> list[Json]:
    return call_tools(asked)


@DBOS.step()
async def send(to: str, text: str) -> str:
    return await _effects().send(to, text)


@DBOS.workflow(name="answer")
async def answer(sender: str, text: str) -> str:
    messages = first(Message(sender, text))
    said = await ask(messages)
    while said.get("tool_calls"):
        messages = [*messages, said, *await use_tools(said)]
        said = await ask(messages)
    provider_id: str = await send(sender, said["content"])
    return provider_id


def prepare(around: Surroundings) -> None:
    DBOS.migrate(around.database_url)
    client = _client(around)
    client.register_queue(QUEUE, worker_concurrency=around.in_flight, polling_interval_sec=POLL_S)
    client.destroy()


def lay_in(around: Surroundings, messages: Sequence[Message]) -> None:
    client, engine = _client(around), sqlalchemy.create_engine(_psycopg(around.database_url))
    with engine.begin() as connection:
        for message in messages:
            client.enqueue_in_transaction(
                connection, {"workflow_name": "answer", "queue_name": QUEUE}, message.sender, message.text
            )


def work(around: Surroundings) -> None:
    DBOS(
        config={
            "name": NAME,
            "system_database_url": around.database_url,
            "application_version": "1",
            "executor_id": str(os.getpid()),
            "log_level": "ERROR",
            "run_migrations": False,
        }
    )
    DBOS.launch()
    threading.Event().wait()


def _client(around: Surroundings) -> DBOSClient:
    return DBOSClient(system_database_url=around.database_url, application_name=NAME)


def _psycopg(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
