"""WAHA's webhooks: signed or refused, each message once, and what is nobody's to answer only recorded."""

from __future__ import annotations

import json
import time
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from conversations import channels
from conversations.models import Channel, ChannelKind, Contact, Delivery, Message, OverloadPolicy
from pipeline.models import EventStatus, Outcome, ProcessedEvent
from pipeline.policies.errors import Code
from tests import factories
from tests.ingress.answers import event, receipt, refusal
from tests.ingress.platforms import WAHA_CHAT, Waha, encoded, waha_message, waha_signature


@pytest.mark.parametrize(
    "signature", ["", "00ff", "sha512=00", "nonsense", "é" * 128, "0" * 128, "\x7f" * 9000]
)
def test_webhook_without_a_fitting_signature_is_refused_before_it_is_parsed(
    waha: Waha, signature: str
) -> None:
    assert refusal(waha.post(b"{not json", signature=signature), 401)["code"] == "bad_signature"


def test_signature_covers_the_bytes_as_sent(waha: Waha) -> None:
    raw = encoded({"event": "message", "session": "shop", "payload": waha_message()})
    signature = waha_signature("an-hmac-key", raw)
    assert refusal(waha.post(raw.replace(b": ", b":"), signature=signature), 401)
    assert receipt(waha.post(raw, signature=signature)) == (1, 0, 0)


@pytest.mark.parametrize("credentials", [{}, {"hmac_key": ""}])
def test_channel_without_a_key_lets_nobody_in(db: None, credentials: dict[str, str]) -> None:
    bare = Waha(factories.channel(kind=ChannelKind.WAHA, credentials=credentials))
    body = encoded({"event": "message", "session": "shop", "payload": waha_message()})
    assert refusal(bare.post(body, signature=waha_signature("", body)), 401)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "JSON"),
        (b'{"a": NaN}', "JSON"),
        ([], "body"),
        ({}, "event"),
        ({"event": "message", "payload": {}}, "session"),
        ({"event": "message", "session": "shop", "payload": []}, "payload"),
        ({"event": 7, "session": "shop", "payload": {}}, "event"),
    ],
)
def test_unreadable_body_is_400_and_says_where(waha: Waha, body: object, place: str) -> None:
    assert place in refusal(waha.post(body), 400)["message"]


def test_message_waits_for_its_turn_under_its_chat(waha: Waha) -> None:
    message = waha_message("olá", **{"from": "99887766@lid"})
    assert receipt(waha.tell("message", message)) == (1, 0, 0)
    waiting = event()
    assert (waiting.dedupe_key, waiting.status) == (message["id"], EventStatus.RECEIVED)
    assert waiting.payload["text"] == "olá"
    assert (Contact.objects.get().address, Contact.objects.get().name) == ("99887766@lid", "Ana")


def test_message_told_three_times_and_as_both_events_is_on_the_ledger_once(waha: Waha) -> None:
    message = waha_message()
    assert receipt(waha.tell("message", message)) == (1, 0, 0)
    for name in ("message", "message.any", "message"):
        assert receipt(waha.tell(name, message)) == (0, 1, 0)
    assert (event().duplicates, event().conflicts) == (3, 0)


def test_old_webhook_is_taken_as_its_retries_keep_their_timestamp(waha: Waha) -> None:
    assert receipt(waha.tell("message", waha_message(), timestamp=1_600_000_000_000)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"media": {"url": "http://waha/f.oga", "mimetype": "audio/ogg; codecs=opus"}}, "audio", "look"),
        ({"media": {"url": "http://waha/f.jpg", "mimetype": "image/jpeg"}}, "image", "look"),
        ({"media": {"mimetype": "video/mp4", "error": "too large"}}, "video", "look"),
        ({"media": {"mimetype": "application/pdf", "filename": "a.pdf"}}, "document", "look"),
        ({"media": {}, "_data": {"mimetype": "audio/ogg"}}, "audio", "look"),
        ({"hasMedia": False, "location": {"latitude": 1, "description": "The shop"}}, "location", "The shop"),
    ],
)
def test_media_are_named_as_content(waha: Waha, fields: dict[str, Any], kind: str, text: str) -> None:
    assert receipt(waha.say("look", **({"hasMedia": True} | fields))) == (1, 0, 0)
    payload = event().payload
    assert (payload["type"], payload["text"]) == (kind, text)
    assert payload["media"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("message", {"from": "1203630@g.us"}),
        ("message", {"from": "status@broadcast"}),
        ("message", {"from": "1203630@newsletter"}),
        ("message", {"body": ""}),
        ("message", {"body": 7}),
        ("message", {"vCards": ["BEGIN:VCARD"]}),
        ("message.any", {"fromMe": True, "to": "1203630@g.us"}),
        ("message.any", {"fromMe": True, "to": WAHA_CHAT, "body": ""}),
        ("message.reaction", {}),
        ("call.received", {}),
    ],
)
def test_what_is_nobodys_to_answer_is_recorded_and_ignored(
    waha: Waha, name: str, fields: dict[str, Any]
) -> None:
    assert receipt(waha.tell(name, waha_message() | fields)) == (0, 0, 1)
    assert (event().outcome, event().outcome_code) == (Outcome.IGNORED, Code.EVENT_UNSUPPORTED)
    assert event().conversation_id is None
    assert not Message.objects.exists()


def test_strange_event_told_again_is_known_by_the_events_own_id(waha: Waha) -> None:
    assert receipt(waha.tell("poll.vote", {"vote": 1}, id="evt_1")) == (0, 0, 1)
    assert receipt(waha.tell("poll.vote", {"vote": 1}, id="evt_1", timestamp=1)) == (0, 1, 0)


def test_message_of_nobody_and_for_a_session_that_is_not_ours_is_recorded(waha: Waha) -> None:
    assert receipt(waha.say(**{"from": ""}, id="a")) == (0, 0, 1)
    assert receipt(waha.tell("message", waha_message(), session="another")) == (0, 0, 1)
    codes = set(ProcessedEvent.objects.values_list("outcome_code", flat=True))
    assert codes == {Code.EVENT_NO_SENDER, Code.EVENT_UNKNOWN_NUMBER}


def test_session_of_a_sibling_channel_reaches_that_channel(waha: Waha) -> None:
    sibling = factories.channel(agent=waha.channel.agent, kind=ChannelKind.WAHA, external_id="branch")
    assert receipt(waha.tell("message", waha_message(), session="branch")) == (1, 0, 0)
    assert event().channel == sibling


@pytest.fixture
def sent(waha: Waha) -> Message:
    return factories.outbound(
        conversation=factories.conversation(channel=waha.channel), delivery=Delivery.SENT, provider_id="3EB0A"
    )


def current(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_acks_in_any_order_end_at_the_highest(waha: Waha, sent: Message, order: tuple[int, ...]) -> None:
    for level in order:
        waha.ack(f"true_{WAHA_CHAT}_3EB0A", level)
    assert current(sent).delivery == Delivery.READ


@pytest.mark.parametrize(
    ("level", "delivery"), [(-1, "failed"), (1, "sent"), (2, "delivered"), (3, "read"), (4, "read")]
)
def test_ack_means_a_state_of_ours_however_the_chat_is_written(
    waha: Waha, sent: Message, level: int, delivery: str
) -> None:
    waha.ack("true_998877@lid_3EB0A", level)
    assert current(sent).delivery == delivery


@pytest.mark.parametrize("level", [0, 5, None, "READ", [3], {}, 2.5])
def test_ack_that_tells_nothing_moves_nothing(waha: Waha, sent: Message, level: object) -> None:
    assert receipt(waha.ack(f"true_{WAHA_CHAT}_3EB0A", level)) == (0, 0, 1)
    assert current(sent).delivery == Delivery.SENT


def test_failure_is_told_with_its_code(waha: Waha, sent: Message) -> None:
    waha.ack(f"true_{WAHA_CHAT}_3EB0A", -1, ackName="ERROR")
    assert (current(sent).error_code, current(sent).error_detail) == ("send.reported", "ack -1 ERROR")


@pytest.mark.parametrize("message_id", ["", "true_5511@c.us_", "x" * 5000, 7, None])
def test_ack_that_names_no_message_moves_none(waha: Waha, message_id: Any) -> None:
    factories.outbound(conversation=factories.conversation(channel=waha.channel))
    assert receipt(waha.ack(message_id, 2)) == (0, 0, 1)


def channel_now(waha: Waha) -> Channel:
    return Channel.objects.get(pk=waha.channel.pk)


@pytest.mark.parametrize("status", ["STOPPED", "SCAN_QR_CODE", "FAILED", "SOMETHING_NEW"])
def test_session_in_trouble_pauses_the_channel_until_it_works_again(waha: Waha, status: str) -> None:
    now = time.time()
    assert receipt(waha.session(status, at=now - 9)) == (1, 0, 0)
    assert channel_now(waha).paused_at is not None
    assert "session" in channel_now(waha).paused_reason or "QR code" in channel_now(waha).paused_reason
    assert receipt(waha.session("STARTING", at=now - 8)) == (0, 0, 1)
    assert channel_now(waha).paused_at is not None
    assert receipt(waha.session("WORKING", at=now - 7)) == (1, 0, 0)
    assert (channel_now(waha).paused_at, channel_now(waha).paused_reason) == (None, "")
    actions = AuditEntry.objects.order_by("id").values_list("action", "actor_kind")
    assert list(actions) == [("channel.paused", "system"), ("channel.resumed", "system")]


def test_working_session_leaves_a_pause_of_staff_alone(waha: Waha) -> None:
    channels.pause(channel_id=waha.channel.pk, reason="Christmas.", by="maria", now=timezone.now())
    waha.session("FAILED", at=time.time() - 5)
    waha.session("WORKING")
    assert channel_now(waha).paused_reason == "Christmas."


def test_late_and_repeated_reports_change_nothing(waha: Waha) -> None:
    now = time.time()
    assert receipt(waha.session("FAILED", at=now - 20)) == (1, 0, 0)
    assert receipt(waha.session("WORKING", at=now - 10)) == (1, 0, 0)
    for _ in range(3):
        assert receipt(waha.session("FAILED", at=now - 20)) == (0, 1, 0)
        assert receipt(waha.session("WORKING", at=now - 10)) == (0, 1, 0)
    assert channel_now(waha).paused_at is None
    assert AuditEntry.objects.count() == 2


def test_reason_follows_the_session_from_one_trouble_to_the_next(waha: Waha) -> None:
    waha.session("STOPPED", at=time.time() - 9)
    waha.session("SCAN_QR_CODE", at=time.time() - 8)
    assert "QR code" in channel_now(waha).paused_reason


def test_clock_ahead_of_ours_does_not_silence_later_reports(waha: Waha) -> None:
    waha.session("FAILED", at=time.time() + 10_000)
    assert receipt(waha.session("WORKING")) == (1, 0, 0)
    assert channel_now(waha).paused_at is None


@pytest.mark.parametrize("status", ["", None, 7, []])
def test_report_without_a_state_is_none(waha: Waha, status: object) -> None:
    assert receipt(waha.session(status)) == (0, 0, 1)


def test_strange_types_everywhere_are_no_accident(waha: Waha) -> None:
    Channel.objects.update(overload_policy=OverloadPolicy.QUEUE)
    strange: list[Any] = [None, 7, 2.5, True, "x", [], {}, {"a": [1]}]
    for name in ("id", "from", "to", "body", "timestamp", "hasMedia", "media", "location", "_data", "fromMe"):
        for value in strange:
            for kind in ("message", "message.any", "message.ack", "session.status", "other"):
                payload = json.loads(json.dumps(waha_message() | {name: value}))
                assert waha.tell(kind, payload, timestamp=value, id="").status == 200, (name, value, kind)
