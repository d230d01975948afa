"""The real engine in this process: real rows, real HTTP to the simulator, the real executor until nothing is due.

room.say("Where is my order?")
room.work()
assert room.replies() == [...]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import httpx2
import pytest
from django.conf import settings as django_settings
from django.db import connection

from conversations.models import Agent, Channel, ChannelKind, Conversation, Direction, Message, Session
from pipeline.engine import database, executor
from pipeline.engine.executor import Executor
from pipeline.models import Breaker, Mailbox, ProcessedEvent, Step, Turn
from pipeline.simulator.app import create_app
from tests import factories
from tests.ingress.answers import Answer
from tests.ingress.platforms import Meta, OwnSystem, Waha, text_message
from tests.simulator.conftest import LoopThread, served
from tests.simulator.world import HMAC_KEY, PHONE_NUMBER_ID, SIGNING_SECRET, Outside, channels_at

ADDRESS = "5511999990001"
LINGER_S = 0.1
"""How long the executor stays for more; a whole second would make every test wait for nothing."""
WORK_WITHIN_S = 60.0


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.stop()


@pytest.fixture
def outside(loop_thread: LoopThread) -> Iterator[Outside]:
    """The simulator on a port. It reports no statuses by itself: nobody listens here."""
    with (
        served(loop_thread, create_app(channels_at("http://127.0.0.1:9"))) as url,
        httpx2.Client(base_url=url, timeout=10, trust_env=False) as client,
    ):
        there = Outside(url, client)
        there.control("/_sim/settings", {"statuses": "off"})
        yield there


@pytest.fixture
def database_threads(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[None]:
    """The engine's database threads, ended with the test, so that none keeps a connection open."""
    with own_database_threads(monkeypatch):
        yield


@contextmanager
def own_database_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = database.Threads()
    monkeypatch.setattr(database, "_threads", threads)
    yield
    threads.close()


@pytest.fixture
def room(
    outside: Outside,
    database_threads: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Room:
    settings.ZUPA = replace(
        django_settings.ZUPA, openai_base_url=f"{outside.url}/v1", openai_api_key="simulator"
    )
    monkeypatch.setattr(executor, "LINGER_S", LINGER_S)
    return Room(outside)


@dataclass
class Room:
    """One tenant's agent on WhatsApp, which answers each message alone unless a test says otherwise."""

    outside: Outside

    @cached_property
    def channel(self) -> Channel:
        return factories.channel(
            agent=factories.agent(burst_window_s=0.0, allowed_tools=["order_status", "request_refund"]),
            slug="whatsapp-demo",
            external_id=PHONE_NUMBER_ID,
            api_url=f"{self.outside.url}/graph",
        )

    @cached_property
    def http_channel(self) -> Channel:
        return factories.channel(
            agent=self.channel.agent,
            kind=ChannelKind.HTTP,
            slug="http-demo",
            external_id="",
            api_url=f"{self.outside.url}/http/http-demo/messages",
            credentials={"signing_secret": SIGNING_SECRET},
        )

    @cached_property
    def waha_channel(self) -> Channel:
        return factories.channel(
            agent=self.channel.agent,
            kind=ChannelKind.WAHA,
            slug="waha-demo",
            external_id="waha-demo",
            api_url=f"{self.outside.url}/waha",
            credentials={"api_key": "the-api-key", "hmac_key": HMAC_KEY},
        )

    @property
    def agent(self) -> Agent:
        return self.channel.agent

    def configure(self, **fields: Any) -> None:
        """Change the agent."""
        for name, value in fields.items():
            setattr(self.agent, name, value)
        self.agent.save()

    @property
    def meta(self) -> Meta:
        return Meta(self.channel)

    @property
    def own_system(self) -> OwnSystem:
        return OwnSystem(self.http_channel)

    @property
    def waha(self) -> Waha:
        return Waha(self.waha_channel)

    def say(self, *texts: str, sender: str = ADDRESS) -> list[str]:
        """The contact writes these, one webhook each; their dedupe keys."""
        return [self._say(text, sender) for text in texts]

    def _say(self, text: str, sender: str) -> str:
        message = text_message(text, **{"from": sender})
        answer = self.meta.say(message)
        assert answer.status == 200, answer.body
        return str(message["id"])

    def post(self, text: str, sender: str = ADDRESS) -> Answer:
        return self.meta.say(text_message(text, **{"from": sender}))

    def work(self) -> None:
        """What a worker does with all that is due, until nothing is."""
        worker = Executor()
        try:
            assert not worker.serve(WORK_WITHIN_S), "there was no end to the work"
        finally:
            worker.stop()

    def fault(self, target: str, mode: str, **more: Any) -> None:
        self.outside.control("/_sim/faults", {"target": target, "mode": mode, **more})

    def mend(self) -> None:
        assert self.outside.client.delete("/_sim/faults").status_code == 200

    def calls(self, target: str) -> int:
        return int(self.outside.get("/_sim/calls")["counts"].get(target, 0))

    def accepted(self, to: str = "") -> list[str]:
        """The texts that the platforms accepted, in order."""
        return [sent["text"] for sent in self.outside.get("/_sim/sent") if not to or sent["to"] == to]

    def event(self, key: str) -> ProcessedEvent:
        return ProcessedEvent.objects.get(dedupe_key=key)

    def outcome(self, key: str) -> tuple[str | None, str]:
        event = self.event(key)
        return event.outcome, event.outcome_code

    def outcomes(self) -> list[str | None]:
        """Of all events, in the order they came."""
        return list(ProcessedEvent.objects.order_by("pk").values_list("outcome", flat=True))

    def conversation(self, address: str = ADDRESS) -> Conversation:
        return Conversation.objects.get(contact__address=address)

    def outbox(self) -> list[Message]:
        return list(Message.objects.filter(direction=Direction.OUT).order_by("pk"))

    def sessions(self) -> list[Session]:
        return list(Session.objects.order_by("pk"))

    def turn(self) -> Turn:
        return Turn.objects.get()

    def steps(self) -> list[Step]:
        return list(Step.objects.order_by("pk"))

    def mailbox(self, address: str = ADDRESS) -> Mailbox:
        return Mailbox.objects.get(conversation=self.conversation(address))

    def breaker(self, name: str) -> Breaker:
        return Breaker.objects.get(pk=name)


def make_due() -> None:
    """Time passes: every mailbox that waits for its time is due now."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pipeline_mailbox SET due_at = now() WHERE due_at > now()")
