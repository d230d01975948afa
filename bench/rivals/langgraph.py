"""LangGraph with its PostgreSQL checkpointer: a graph of model, tools and send, each node's end a checkpoint.

`durability="sync"`: a checkpoint is written before the next node starts. LangGraph brings no queue: its messages wait
in a table of ours, claimed with SKIP LOCKED, as many in flight as Zupa has.
"""

import asyncio
import operator
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict, cast

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench.rivals.effects import Effects, Json, call_tools, first
from bench.rivals.surroundings import Message, Surroundings

TABLES = """
CREATE TABLE job (id bigserial PRIMARY KEY, sender text NOT NULL, text text NOT NULL, claimed_at timestamptz,
    finished_at timestamptz);
CREATE INDEX ON job (id) WHERE claimed_at IS NULL;
"""
CLAIM = """
UPDATE job SET claimed_at = now() WHERE id IN (
    SELECT id FROM job WHERE claimed_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
) RETURNING id, sender, text
"""
FINISH = "UPDATE job SET finished_at = now() WHERE id = %s"
POLL_S = 0.05
CONNECTIONS = 4
"""As many as a worker process of Zupa has for its turns."""


class State(TypedDict, total=False):
    sender: str
    messages: Annotated[list[Json], operator.add]
    provider_id: str


def build(effects: Effects, saver: AsyncPostgresSaver) -> Any:
    async def ask(state: State) -> State:
        return {"messages": [await effects.ask(state["messages"])]}

    async def use_tools(state: State) -> State:
        return {"messages": call_tools(state["messages"][-1])}

    async def send(state: State) -> State:
        return {"provider_id": await effects.send(state["sender"], state["messages"][-1]["content"])}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_node("use_tools", use_tools)
    graph.add_node("send", send)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", _next, ["use_tools", "send"])
    graph.add_edge("use_tools", "ask")
    graph.add_edge("send", END)
    return graph.compile(checkpointer=saver)


def _next(state: State) -> str:
    return "use_tools" if state["messages"][-1].get("tool_calls") else "send"


def prepare(around: Surroundings) -> None:
    with PostgresSaver.from_conn_string(around.database_url) as saver:
        saver.setup()
    with psycopg.connect(around.database_url) as connection:
        connection.execute(TABLES)


def lay_in(around: Surroundings, messages: Sequence[Message]) -> None:
    with psycopg.connect(around.database_url) as connection, connection.cursor() as cursor:
        rows = [(message.sender, message.text) for message in messages]
        cursor.executemany("INSERT INTO job (sender, text) VALUES (%s, %s)", rows)


def work(around: Surroundings) -> None:
    asyncio.run(_work(around))


async def _work(around: Surroundings) -> None:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(
        around.database_url, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs=settings, open=False
    ) as pool:
        graph = build(Effects(around), AsyncPostgresSaver(cast(Any, pool)))
        flights: set[asyncio.Task[None]] = set()
        while True:
            for job in await _claim(pool, around.in_flight - len(flights)):
                flight = asyncio.create_task(_answer(graph, pool, job))
                flights.add(flight)
                flight.add_done_callback(flights.discard)
            await asyncio.sleep(POLL_S)


async def _claim(pool: AsyncConnectionPool, free: int) -> list[Any]:
    if not free:
        return []
    async with pool.connection() as connection:
        return await (await connection.execute(CLAIM, [free])).fetchall()


async def _answer(graph: Any, pool: AsyncConnectionPool, job: Any) -> None:
    message = Message(job["sender"], job["text"])
    thread = {"configurable": {"thread_id": message.sender}}
    start: State = {"sender": message.sender, "messages": first(message)}
    await graph.ainvoke(start, thread, durability="sync")
    async with pool.connection() as connection:
        await connection.execute(FINISH, [job["id"]])
