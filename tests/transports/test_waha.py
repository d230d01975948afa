"""Sends by WAHA: what goes out, what its answers mean, and how a send is settled that nobody answered."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from conversations.models import Channel, Message, Owner
from pipeline import housekeeping
from pipeline.models import Mailbox, Outcome
from pipeline.policies.errors import (
    AccountError,
    Code,
    CredentialsError,
    PipelineError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnknownError,
)
from pipeline.ports import ChannelConfig, OutboundFile, OutboundMessage
from pipeline.transports.http_client import make_client
from pipeline.transports.waha.sender import WahaSender
from tests import factories
from tests.acceptance.load import eventually
from tests.engine_room import Room, make_due
from tests.ingress.platforms import WAHA_CHAT
from tests.simulator.conftest import LoopThread
from tests.simulator.world import Outside
from tests.transports.test_strange_answers import HTML, answering


def send(
    url: str, *, session: str = "waha-demo", to: str = WAHA_CHAT, text: str = "Hello", **more: Any
) -> str:
    channel = ChannelConfig(
        slug="waha-demo", external_id=session, api_url=url, credentials={"api_key": "the-api-key"}
    )
    message = OutboundMessage(to=to, text=text, client_reference=UUID(int=1), attempt=1, **more)

    async def work() -> str:
        async with make_client() as client:
            return await WahaSender(client).send(message, channel)

    return asyncio.run(work())


def refused(url: str, **fields: str) -> PipelineError:
    with pytest.raises(PipelineError) as raised:
        send(url, **fields)
    return raised.value


def test_text_goes_to_the_chat_and_is_named_by_the_key_of_its_id(outside: Outside) -> None:
    key = send(f"{outside.url}/waha/", to="998877@lid", text="olá 👩🏽‍🚀")
    (sent,) = outside.get("/_sim/sent")
    assert (sent["to"], sent["text"]) == ("998877@lid", "olá 👩🏽‍🚀")
    assert sent["id"] == f"true_998877@lid_{key}"


@pytest.mark.parametrize(
    ("kind", "mime_type"),
    [
        ("image", "image/png"),
        ("audio", "audio/mpeg"),
        ("video", "video/mp4"),
        ("document", "application/pdf"),
    ],
)
def test_file_is_named_for_waha_to_fetch(outside: Outside, kind: str, mime_type: str) -> None:
    address = "https://zupa.example.org/files/token"
    file = OutboundFile(name="it", mime_type=mime_type, url=address, open=lambda: BytesIO(b"bytes"))
    key = send(f"{outside.url}/waha", text="look", kind=kind, file=file)
    (sent,) = outside.get("/_sim/sent")
    assert (sent["type"], sent["text"], sent["media"]) == (kind, "look", address)
    assert sent["id"].endswith(key)


def test_file_whose_answer_was_lost_is_settled_like_a_text(room: Room) -> None:
    named = {
        "attachment_id": str(UUID(int=1)),
        "name": "a.pdf",
        "mime_type": "application/pdf",
        "size_bytes": 1,
    }
    message = waiting(room, kind="document", text="", media=named)
    room.fault("waha", "disconnect_after_accept", count=1)
    room.work()
    assert current(message).delivery == "unknown"
    room.waha.echo("", key=sent_key(room), hasMedia=True, media={"mimetype": "application/pdf"})
    assert current(message).delivery == "sent"


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    "answer",
    [
        {"id": f"true_{WAHA_CHAT}_3EB0A"},
        {"id": {"fromMe": True, "id": "3EB0A", "_serialized": f"true_{WAHA_CHAT}_3EB0A"}},
        {"key": {"remoteJid": "5511999990001@s.whatsapp.net", "fromMe": True, "id": "3EB0A"}},
        {"id": "3EB0A"},
    ],
)
def test_id_is_read_as_each_engine_gives_it(loop_thread: LoopThread, answer: Any, status: int) -> None:
    with answering(loop_thread, json.dumps(answer), status=status) as url:
        assert send(url) == "3EB0A"


@pytest.mark.parametrize("body", ["", HTML, "null", "[]", "{}", '{"id": null}', '{"id": {}}', '{"id": 7}'])
def test_success_that_names_no_message_may_have_been_one(loop_thread: LoopThread, body: str) -> None:
    with answering(loop_thread, body, status=201) as url:
        assert isinstance(refused(url), UnknownError)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, "{}", RequestError, Code.SEND_REQUEST),
        (401, HTML, CredentialsError, Code.SEND_CREDENTIALS),
        (403, "{}", CredentialsError, Code.SEND_CREDENTIALS),
        (404, "{}", AccountError, Code.SEND_ACCOUNT),
        (413, HTML, RequestError, Code.SEND_REQUEST),
        (422, "[]", RequestError, Code.SEND_REQUEST),
        (422, '{"status": "FAILED", "expected": ["WORKING"]}', TransientError, Code.SEND_SERVER),
        (429, "null", RateLimitedError, Code.SEND_RATE_LIMITED),
        (500, '{"exception": {}}', UnknownError, Code.SEND_UNANSWERED),
        (502, HTML, UnknownError, Code.SEND_UNANSWERED),
        (503, HTML, TransientError, Code.SEND_SERVER),
        (504, HTML, UnknownError, Code.SEND_UNANSWERED),
        (302, "", RequestError, Code.SEND_REQUEST),
    ],
)
def test_refusal_means_what_its_status_says(
    loop_thread: LoopThread, status: int, body: str, kind: type[PipelineError], code: Code
) -> None:
    with answering(loop_thread, body, status=status, headers={"Retry-After": "7"}) as url:
        error = refused(url)
    assert (type(error), error.code) == (kind, code)
    if isinstance(error, RateLimitedError):
        assert error.retry_after_s == 7


def test_simulated_waha_refuses_like_waha(outside: Outside) -> None:
    url = f"{outside.url}/waha"
    assert isinstance(refused(url, session="never-was"), AccountError)
    assert isinstance(refused(url, to="5511999990001"), RequestError)
    outside.waha("sessions/waha-demo/stop", {})
    assert isinstance(refused(url), TransientError)


def test_waha_that_cannot_be_reached_certainly_got_nothing() -> None:
    error = refused("http://127.0.0.1:9")
    assert (type(error), error.code) == (TransientError, Code.SEND_CONNECTION)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"mode": "disconnect_after_accept"}, UnknownError),
        ({"mode": "disconnect_before_accept"}, UnknownError),
        ({"mode": "malformed"}, UnknownError),
        ({"mode": "error"}, UnknownError),
        ({"mode": "error", "status": 503}, TransientError),
        ({"mode": "rate_limit", "retry_after": 3}, RateLimitedError),
    ],
)
def test_faults_of_waha_are_classified(outside: Outside, fault: dict[str, Any], kind: type) -> None:
    outside.control("/_sim/faults", {"target": "waha", **fault})
    assert type(refused(f"{outside.url}/waha")) is kind


def test_question_is_answered_by_waha_once_however_often_it_is_told(room: Room) -> None:
    for _ in range(3):
        room.waha.say("Where is my order 1001?", id=f"false_{WAHA_CHAT}_3EB0Q")
    room.work()
    (answer,) = room.outbox()
    assert room.accepted(WAHA_CHAT) == [answer.text]
    assert (answer.delivery, room.outcomes()) == ("sent", [Outcome.REPLIED])
    assert answer.provider_id.startswith("3EB0")


def waiting(room: Room, **fields: Any) -> Message:
    contact = factories.contact(channel=room.waha_channel, address=WAHA_CHAT)
    message = factories.outbound(conversation=factories.conversation(contact=contact), **fields)
    tenant = message.conversation.tenant
    Mailbox.objects.create(conversation=message.conversation, tenant=tenant, due_at=timezone.now())
    return message


def current(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def sent_key(room: Room) -> str:
    return str(room.outside.get("/_sim/sent")[-1]["id"]).rpartition("_")[2]


def test_lost_answer_is_unknown_until_the_message_comes_back(room: Room) -> None:
    message = waiting(room)
    room.fault("waha", "disconnect_after_accept", count=1)
    room.work()
    assert current(message).delivery == "unknown"
    room.waha.echo(message.text, key=sent_key(room), source="api")
    assert (current(message).delivery, current(message).provider_id) == ("sent", sent_key(room))
    make_due()
    room.work()
    assert room.accepted() == [message.text]


def test_message_that_comes_back_and_is_read_before_the_answer_to_its_send_stays_read(room: Room) -> None:
    """The echo says `app`, as WAHA does where it does not know the id yet."""
    message = waiting(room)
    room.fault("waha", "latency", seconds=1.5, count=1)
    worker = in_thread(room)
    eventually(lambda: current(message).delivery == "sending", within_s=20)
    room.waha.echo(message.text, key="3EB0EARLY", source="app")
    room.waha.ack(f"true_{WAHA_CHAT}_3EB0EARLY", 3)
    assert current(message).delivery == "read"
    worker.join()
    assert (current(message).delivery, current(message).provider_id) == ("read", sent_key(room))
    assert current(message).conversation.owner_kind == Owner.AGENT


def test_ack_before_the_answer_is_lost_without_harm_and_the_next_one_counts(room: Room) -> None:
    message = waiting(room)
    room.waha.ack(f"true_{WAHA_CHAT}_3EB0A", 2)
    room.work()
    assert current(message).delivery == "sent"
    room.waha.ack(f"true_{WAHA_CHAT}_{sent_key(room)}", 3)
    assert current(message).delivery == "read"


def test_broken_session_keeps_messages_until_it_works_again(room: Room) -> None:
    message = waiting(room)
    room.waha.session("FAILED", at=time.time() - 5)
    room.work()
    assert (current(message).delivery, room.accepted()) == ("queued", [])
    room.waha.session("WORKING")
    room.work()
    assert current(message).delivery == "sent"


def test_session_that_waha_does_not_have_pauses_the_channel_for_a_person(room: Room) -> None:
    Channel.objects.filter(pk=room.waha_channel.pk).update(external_id="never-was")
    message = waiting(room)
    room.work()
    assert current(message).delivery == "queued"
    assert "no such session" in Channel.objects.get(pk=room.waha_channel.pk).paused_reason


def test_hand_reply_during_a_slow_model_call_keeps_the_agent_silent(room: Room) -> None:
    room.fault("llm", "latency", seconds=1.5, count=1)
    room.waha.say("Where is my order 1001?")
    worker = in_thread(room)
    eventually(lambda: room.calls("llm") == 1, within_s=20)
    room.waha.echo("I have it here, one moment.")
    worker.join()
    assert room.outcomes() == [Outcome.NEEDS_HUMAN]
    room.waha.say("And order 1002?")
    room.work()
    assert room.outcomes() == [Outcome.NEEDS_HUMAN, Outcome.NEEDS_HUMAN]
    assert room.accepted() == []
    conversation = room.conversation(WAHA_CHAT)
    assert conversation.owner_kind == Owner.PHONE
    assert conversation.owned_until is not None
    assert conversation.owned_until > timezone.now()


def test_agent_answers_again_once_the_phones_time_is_over(room: Room) -> None:
    room.waha.echo("I have it here, one moment.")
    room.waha.say("And order 1001?")
    room.work()
    assert (room.outcomes(), room.accepted()) == ([Outcome.NEEDS_HUMAN], [])
    housekeeping.run(now=timezone.now() + timedelta(minutes=29))
    assert room.conversation(WAHA_CHAT).owner_kind == Owner.PHONE
    housekeeping.run(now=timezone.now() + timedelta(minutes=31))
    assert room.conversation(WAHA_CHAT).owner_kind == Owner.AGENT
    room.work()
    assert room.outcomes() == [Outcome.REPLIED]
    assert len(room.accepted(WAHA_CHAT)) == 1


def in_thread(room: Room) -> threading.Thread:
    def work() -> None:
        try:
            room.work()
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    return worker
