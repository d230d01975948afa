"""A load of messages as platforms deliver them, again and again and out of order, and what must be true afterwards."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import httpx2
import psycopg

from tests.ingress.platforms import encoded, envelope, meta_signature, standard_headers, text_message, value
from tests.system import System

SENDERS = 8
DELIVERY_WITHIN_S = 120.0
HTTP_SHARE = 5
"""Every so many conversations one is on the signed HTTP channel, the others are on WhatsApp."""

REFUND = "I want my money back for order 123, it arrived broken."
REFUND_SHARE = 4
"""Every so many messages one makes the model call a tool that may not run twice."""


@dataclass(frozen=True)
class Said:
    """One message of a customer, with what the platform calls it."""

    channel: str
    address: str
    id: str
    text: str


@dataclass(frozen=True)
class Load:
    """`deliveries` are all copies of all messages, in the order in which the platform delivers them."""

    seed: int
    deliveries: tuple[Said, ...]

    @property
    def messages(self) -> list[Said]:
        return list(dict.fromkeys(self.deliveries))

    def conversations(self) -> dict[tuple[str, str], list[Said]]:
        """What was said, by channel and address, in order."""
        found: dict[tuple[str, str], list[Said]] = defaultdict(list)
        for said in self.messages:
            found[said.channel, said.address].append(said)
        return dict(found)


def make_load(*, conversations: int, messages: int, copies: int, seed: int) -> Load:
    """`messages` in all, each delivered `copies` times. Everything is shuffled, but the first copies of a conversation
    come in the order in which its messages were written, so that the order of the answers can be judged.
    """
    print(f"load: seed {seed}")
    chance = random.Random(seed)
    tickets = [number % conversations for number in range(messages) for _ in range(copies)]
    chance.shuffle(tickets)
    per_conversation = {
        number: _in_first_order(chance, len(range(number, messages, conversations)), copies)
        for number in range(conversations)
    }
    said = [_said(seed, number, next(per_conversation[number])) for number in tickets]
    return Load(seed, tuple(said))


def _in_first_order(chance: random.Random, messages: int, copies: int) -> Iterator[int]:
    """Each message's number as often as it has copies, shuffled, then renamed so that first appearances count up."""
    shuffled = [number for number in range(messages) for _ in range(copies)]
    chance.shuffle(shuffled)
    order = {number: position for position, number in enumerate(dict.fromkeys(shuffled))}
    return iter([order[number] for number in shuffled])


def _said(seed: int, conversation: int, number: int) -> Said:
    """The seed is part of every name, so that loads of different seeds are different people's."""
    is_http = conversation % HTTP_SHARE == HTTP_SHARE - 1
    name = f"{seed}-c{conversation}-m{number}"
    text = REFUND if (conversation + number) % REFUND_SHARE == 0 else f"Ping {name}."
    if is_http:
        return Said("http-demo", f"customer-{seed}-{conversation}", f"msg_{name}", text)
    return Said("whatsapp-demo", f"55{seed:08}{conversation:04}", f"wamid.{name}", text)


def deliver(system: System, load: Load) -> None:
    """Post every copy until it is accepted, as the platforms do. Conversations side by side, each one in its order.

    Bursts are off, so that each message has an answer of its own to be counted.
    """
    system.rows("UPDATE conversations_agent SET burst_window_s = 0 RETURNING id")
    with ThreadPoolExecutor(SENDERS) as senders:
        lanes = [senders.submit(_deliver_lane, system, load, lane) for lane in range(SENDERS)]
        for done in lanes:
            done.result()


def _deliver_lane(system: System, load: Load, lane: int) -> None:
    chosen = [said for said in load.deliveries if hash_of(said.address) % SENDERS == lane]
    with httpx2.Client(timeout=20, trust_env=False) as client:
        for said in chosen:
            _deliver_one(client, system, said)


def hash_of(address: str) -> int:
    return sum(address.encode())


def _deliver_one(client: httpx2.Client, system: System, said: Said) -> None:
    deadline = time.monotonic() + DELIVERY_WITHIN_S
    while not _is_accepted(client, system, said):
        assert time.monotonic() < deadline, f"{said.id} was never accepted"
        time.sleep(0.25)


def _is_accepted(client: httpx2.Client, system: System, said: Said) -> bool:
    """Whether it was. Anything but a 200 and a 503 is a defect."""
    url, raw, headers = _request(system, said)
    try:
        response = client.post(url, content=raw, headers=headers)
    except httpx2.HTTPError:
        return False
    assert response.status_code in (200, 503), response.text
    return response.status_code == 200


def _request(system: System, said: Said) -> tuple[str, bytes, dict[str, str]]:
    channel = next(each for each in system.demo["channels"] if each["slug"] == said.channel)
    url = str(channel["webhook_url"])
    if channel["kind"] == "http":
        raw = encoded({"id": said.id, "from": said.address, "type": "text", "text": said.text})
        return url, raw, standard_headers(channel["signing_secret"], said.id, raw, at=time.time())
    message = text_message(said.text, id=said.id, **{"from": said.address}, timestamp="1700000000")
    raw = encoded(envelope(value(channel["phone_number_id"], messages=[message])))
    return url, raw, {"X-Hub-Signature-256": meta_signature(channel["app_secret"], raw)}


def eventually(check: Callable[[], bool], *, within_s: float, otherwise: Callable[[], object] = str) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {otherwise()}"
        time.sleep(0.2)


def unfinished(system: System) -> dict[str, Any] | None:
    """What still waits, runs or is on its way; None where everything has come to rest."""
    with suppress(psycopg.OperationalError):
        (row,) = system.rows(
            """
            SELECT (SELECT count(*) FROM pipeline_processedevent WHERE status <> 'done') AS events,
                   (SELECT count(*) FROM pipeline_turn WHERE status = 'running') AS turns,
                   (SELECT count(*) FROM pipeline_mailbox WHERE lease_owner <> '' OR due_at IS NOT NULL) AS mailboxes,
                   (SELECT count(*) FROM conversations_message WHERE delivery IN ('queued', 'sending')) AS outbox,
                   (SELECT count(*) FROM pipeline_queuedtask WHERE coalesce_key = 'drain') AS wake_ups
            """
        )
        return row if any(row.values()) else None
    return {"database": "away"}


def comes_to_rest(system: System, *, within_s: float) -> None:
    eventually(lambda: unfinished(system) is None, within_s=within_s, otherwise=lambda: unfinished(system))


def accepted_sends(system: System) -> list[dict[str, Any]]:
    """Every message the simulated platforms accepted, in order."""
    response = httpx2.get(f"{system.simulator_url}/_sim/sent", timeout=30, trust_env=False)
    return list(json.loads(response.content))


@dataclass(frozen=True)
class Ended:
    """One event with what became of it: outcome, and of its answer the delivery and how often it was accepted."""

    dedupe_key: str
    outcome: str
    code: str
    delivery: str
    accepted: int
    position: int


def endings(system: System) -> dict[str, Ended]:
    """By dedupe key. Fails where an event has not exactly one answer on record."""
    counted: dict[str, list[int]] = defaultdict(list)
    for position, sent in enumerate(accepted_sends(system)):
        counted[sent["client_ref"]].append(position)
    rows = system.rows(
        """
        SELECT event.dedupe_key, event.outcome, event.outcome_code, message.delivery, message.idempotency_key
        FROM pipeline_processedevent AS event
        LEFT JOIN conversations_message AS message ON message.turn_id = event.turn_id AND message.direction = 'out'
        ORDER BY event.dedupe_key
        """
    )
    found: dict[str, Ended] = {}
    for key, group in groupby(rows, lambda row: row["dedupe_key"]):
        (row,) = group
        positions = counted.pop(str(row["idempotency_key"]), [])
        found[key] = Ended(
            key,
            row["outcome"],
            row["outcome_code"],
            row["delivery"] or "",
            len(positions),
            min(positions, default=-1),
        )
    assert not counted, f"sent, but on no record: {list(counted)}"
    return found


def in_order(ended: Sequence[Ended]) -> bool:
    """Whether the answers that were accepted, were accepted in this order."""
    positions = [each.position for each in ended if each.accepted]
    return positions == sorted(positions)
