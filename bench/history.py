"""A past: answered events with their turns, steps, messages and evidence, laid in with COPY.

It comes in blocks of ten conversations with 1 to 75 events each, one after the other over the last week, so that a
small past and a large one differ in nothing but the number of blocks.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from bench.stage import Stage

EVENTS_OF_A_CONVERSATION = (1, 1, 2, 3, 5, 8, 15, 30, 60, 75)
CONVERSATIONS = len(EVENTS_OF_A_CONVERSATION)
EVENTS = sum(EVENTS_OF_A_CONVERSATION)
BLOCKS_AT_ONCE = 50
PAST = timedelta(days=7)
"""Within what housekeeping keeps, whatever the number of events."""
PHASES = [
    {"name": name, "started_ms": 10, "duration_ms": 1.5, "error": ""}
    for name in ("access_policy", "session_attach", "prompt_build", "agentic_loop", "persistence")
]
PROMPT = {
    "tools": ["order_status"],
    "messages": [{"role": "system", "content": "You are a shop assistant. " * 30}],
}

TABLES = {
    "conversations_contact": "id tenant_id channel_id address name created_at",
    "conversations_conversation": """id tenant_id channel_id contact_id owner_kind owner_epoch created_at
        last_message_at""",
    "pipeline_mailbox": "conversation_id tenant_id lease_owner lease_epoch",
    "conversations_session": """id conversation_id started_at last_activity_at ended_at end_reason turn_count
        prompt_tokens completion_tokens""",
    "pipeline_turn": """id conversation_id request_id policy_version seed lease_epoch status attempts started_at
        finished_at phases prompt_tokens completion_tokens""",
    "pipeline_processedevent": """tenant_id channel_id conversation_id turn_id dedupe_key fingerprint kind payload
        request_id received_at status outcome done_at""",
    "pipeline_step": """turn_id key kind name idempotency_key is_idempotent request response status attempts
        started_at finished_at""",
    "conversations_message": """conversation_id session_id channel_id direction author_kind kind text media turn_id
        created_at provider_id idempotency_key delivery attempts sent_at""",
    "audit_auditentry": """at actor_kind actor action object_type object_id policy_version details request_id
        tenant_id conversation_id session_id contact_id event_id dedupe_key turn_id""",
}
"""The columns filled here, in the order of their foreign keys; the others that must have a value get a neutral one."""
NEUTRAL = {"character varying": "", "text": "", "boolean": False, "jsonb": Jsonb([])}
SEQUENCES = ("conversations_contact", "conversations_conversation", "conversations_session")


def address(conversation: int) -> str:
    return f"5531{conversation:09}"


def fill(here: Stage, events: int) -> int:
    """Lay in `events` past events; the number of conversations. On a database without conversations."""
    blocks = events // EVENTS
    with psycopg.connect(here.system.database_url) as connection:
        past = _Past(*_demo(connection), datetime.now(UTC) - PAST, PAST / (events + 1))
        # What is laid in is whole by its making: no foreign key needs a look.
        connection.execute("SET session_replication_role = replica")
        for first in range(0, blocks, BLOCKS_AT_ONCE):
            past.copy(connection, range(first, min(first + BLOCKS_AT_ONCE, blocks)))
            connection.commit()
        for table in SEQUENCES:
            connection.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, blocks * CONVERSATIONS]
            )
    with psycopg.connect(here.system.database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return blocks * CONVERSATIONS


def _demo(connection: psycopg.Connection) -> tuple[int, int, int]:
    """The tenant, the channel and the policy version."""
    found = connection.execute(
        """SELECT channel.tenant_id, channel.id, max(history_id)
        FROM conversations_channel AS channel JOIN conversations_historicalagent AS agent ON agent.id = agent_id
        WHERE slug = 'whatsapp-demo' GROUP BY channel.id"""
    ).fetchone()
    assert found is not None
    tenant, channel, policy_version = found
    return tenant, channel, policy_version


Line = tuple[Any, ...]


class _Past:
    def __init__(
        self, tenant: int, channel: int, policy_version: int, began: datetime, between_events: timedelta
    ) -> None:
        self.tenant = tenant
        self.channel = channel
        self.policy_version = policy_version
        self.began = began
        self.between_events = between_events

    def copy(self, connection: psycopg.Connection, blocks: range) -> None:
        conversations = range(blocks.start * CONVERSATIONS + 1, blocks.stop * CONVERSATIONS + 1)
        happenings = [
            (event, where, self.began + event * self.between_events) for event, where in _happenings(blocks)
        ]
        lines: dict[str, Iterable[Line]] = {
            "conversations_contact": map(self._contact, conversations),
            "conversations_conversation": map(self._conversation, conversations),
            "pipeline_mailbox": ((number, self.tenant, "", 9) for number in conversations),
            "conversations_session": map(self._session, conversations),
            "pipeline_turn": (self._turn(*each) for each in happenings),
            "pipeline_processedevent": (self._event(*each) for each in happenings),
            "pipeline_step": (self._step(*each) for each in happenings),
            "conversations_message": (line for each in happenings for line in self._messages(*each)),
            "audit_auditentry": (self._audit(*each) for each in happenings),
        }
        for table, columns in TABLES.items():
            others, neutral = _neutral(connection, table, columns.split())
            names = SQL(", ").join(map(Identifier, (*columns.split(), *others)))
            statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), names)
            with connection.cursor().copy(statement) as copy:
                for line in lines[table]:
                    copy.write_row(line + neutral)

    def _contact(self, number: int) -> Line:
        return number, self.tenant, self.channel, address(number), "Customer", self.began

    def _conversation(self, number: int) -> Line:
        return number, self.tenant, self.channel, number, "agent", 0, self.began, self.began

    def _session(self, number: int) -> Line:
        return number, number, *[self.began] * 3, "idle", 20, 9_000, 800

    def _turn(self, event: int, conversation: int, at: datetime) -> Line:
        ran = ("succeeded", 1, at, at, Jsonb(PHASES), 450, 40)
        return _uuid("turn", event), conversation, _request(event), self.policy_version, event, 5, *ran

    def _event(self, event: int, conversation: int, at: datetime) -> Line:
        raw = {"id": _key(event), "from": address(conversation), "type": "text", "text": {"body": "Hello"}}
        payload = {"type": "text", "text": "Hello", "media": {}, "provider_id": _key(event), "raw": raw}
        whose = (self.tenant, self.channel, conversation, _uuid("turn", event))
        said = (_key(event), f"{event:064x}", "message", Jsonb(payload))
        return *whose, *said, _request(event), at, "done", "replied", at

    def _step(self, event: int, conversation: int, at: datetime) -> Line:
        response = Jsonb({"text": "On its way.", "tool_calls": [], "prompt_tokens": 450})
        asked = ("model:1", "model", "gpt", _uuid("step", event), True, Jsonb(PROMPT))
        return _uuid("turn", event), *asked, response, "succeeded", 1, at, at

    def _messages(self, event: int, conversation: int, at: datetime) -> Iterator[Line]:
        where, turn, nothing = (conversation, conversation, self.channel), _uuid("turn", event), Jsonb({})
        said = ("in", "contact", "text", "Where is my order?", nothing, turn, at, _key(event))
        yield *where, *said, None, "", 0, None
        answered = ("out", "agent", "text", "On its way.", nothing, turn, at, f"wamid.out.{event}")
        yield *where, *answered, _uuid("reply", event), "delivered", 1, at

    def _audit(self, event: int, conversation: int, at: datetime) -> Line:
        turn = str(_uuid("turn", event))
        fact = (
            at,
            "agent",
            "Ana",
            "turn.replied",
            "turn",
            turn,
            str(self.policy_version),
            Jsonb({"replies": 1}),
        )
        ids = map(str, (self.tenant, conversation, conversation, conversation, event))
        return *fact, _request(event), *ids, _key(event), turn


def _neutral(connection: psycopg.Connection, table: str, given: Collection[str]) -> tuple[list[str], Line]:
    """Columns that must have a value and were not given one, and a value of their type that says nothing."""
    must = connection.execute(
        """SELECT column_name, data_type FROM information_schema.columns
        WHERE table_name = %s AND is_nullable = 'NO' AND is_identity = 'NO' AND column_default IS NULL""",
        [table],
    ).fetchall()
    others = {name: NEUTRAL.get(kind, 0) for name, kind in must if name not in given}
    return list(others), tuple(others.values())


def _happenings(blocks: range) -> Iterator[tuple[int, int]]:
    """Number and conversation of each event; conversations of a block take turns, as they would."""
    for block in blocks:
        event = block * EVENTS
        for round_ in range(max(EVENTS_OF_A_CONVERSATION)):
            for place, events in enumerate(EVENTS_OF_A_CONVERSATION):
                if round_ < events:
                    event += 1
                    yield event, block * CONVERSATIONS + place + 1


def _uuid(kind: str, number: int) -> UUID:
    """Scattered over its index, as random ones are, without their cost."""
    scattered = number * 0x9E3779B97F4A7C15 % 2**64
    return UUID(int=scattered << 64 | 1 << 63 | sum(kind.encode()) << 40 | number)


def _key(event: int) -> str:
    return f"wamid.{event * 0x9E3779B97F4A7C15 % 2**64:016X}"


def _request(event: int) -> str:
    return f"{event * 0xD1B54A32D192ED03 % 2**64:032x}"
