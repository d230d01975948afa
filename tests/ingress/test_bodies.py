"""Whatever a signed body holds: an answer from the contract, a row where the contract says so, never an accident."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from conversations.models import Contact
from pipeline.models import EventKind, EventStatus, Outcome, ProcessedEvent
from pipeline.policies.errors import Code
from tests.ingress.answers import event, receipt, refusal
from tests.ingress.platforms import Json, Meta, OwnSystem, envelope, text_message, value

FACE = "👩🏽‍🚀 ¿Dónde está? ção"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe\x00", "JSON"),
        (b'{"a": NaN}', "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"object": "x", "entry": ' + b"9" * 5000 + b"}", "JSON"),
        ([], "body"),
        ({}, "object"),
        ({"object": "whatsapp_business_account"}, "entry"),
        ({"object": "whatsapp_business_account", "entry": {}}, "entry"),
        ({"object": "whatsapp_business_account", "entry": [{}]}, "entry.0.changes"),
        (
            {"object": "x", "entry": [{"changes": [{"field": "messages", "value": []}]}]},
            "entry.0.changes.0.value",
        ),
        (envelope(value("1001", messages={})), "entry.0.changes.0.value.messages"),
        (envelope(value("1001", messages=["hello"])), "entry.0.changes.0.value.messages.0"),
        (envelope(value("1001", statuses=[7])), "entry.0.changes.0.value.statuses.0"),
    ],
)
def test_unreadable_body_of_meta_is_400_and_says_where(meta: Meta, body: object, place: str) -> None:
    error = refusal(meta.post(body), 400)
    assert error["code"] == "malformed"
    assert place in error["message"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 256}, "id"),
        ({"from": {}}, "from"),
        ({"from": "x" * 129}, "from"),
        ({"text": ["hello"]}, "text"),
        ({"name": "x" * 201}, "name"),
        ({"media_url": 7.5j}, "media_url"),
        ({"type": None}, "type"),
    ],
)
def test_wrong_field_of_own_system_is_400_and_says_which(
    own_system: OwnSystem, change: dict[str, Any], place: str
) -> None:
    body = json.dumps({"id": "m1", "from": "customer-1", "text": "hello"} | change, default=lambda _: {})
    assert place in refusal(own_system.post(body.encode()), 400)["message"]
    assert not ProcessedEvent.objects.exists()


def test_emoji_are_kept_as_they_are(meta: Meta, own_system: OwnSystem) -> None:
    assert receipt(meta.say(text_message(FACE))) == (1, 0, 0)
    assert receipt(own_system.say(FACE)) == (1, 0, 0)
    assert [each.payload["text"] for each in ProcessedEvent.objects.all()] == [FACE, FACE]


@pytest.mark.parametrize("strange", ["\x00", "\ud83d"])
def test_nul_and_lone_surrogates_are_stored_as_replacement_characters(
    meta: Meta, own_system: OwnSystem, strange: str
) -> None:
    text = f"before{strange}after"
    assert receipt(meta.say(text_message(text, **{"from": f"55{strange}11"}, id=f"wamid.{strange}"))) == (
        1,
        0,
        0,
    )
    assert receipt(own_system.say(text, name=text)) == (1, 0, 0)
    assert {each.payload["text"] for each in ProcessedEvent.objects.all()} == {"before�after"}
    assert Contact.objects.filter(address="55�11").exists()


def test_numbers_no_json_of_postgres_can_hold_are_no_accident(meta: Meta) -> None:
    body = json.dumps(envelope(value("1001", messages=[text_message(strange=12345)])))
    assert receipt(meta.post(body.replace("12345", "1e999").encode())) == (1, 0, 0)


def test_sender_without_a_phone_number_goes_by_the_business_scoped_id(meta: Meta) -> None:
    contacts = [{"profile": {"name": "Ana"}, "user_id": "BR.134912345678"}]
    message = text_message(**{"from": None}, from_user_id="BR.134912345678")
    assert receipt(meta.post(envelope(value("1001", contacts=contacts, messages=[message])))) == (1, 0, 0)
    contact = Contact.objects.get()
    assert (contact.address, contact.name) == ("BR.134912345678", "Ana")


def test_message_of_nobody_is_recorded_and_ignored(meta: Meta) -> None:
    assert receipt(meta.say(text_message(**{"from": None}))) == (0, 0, 1)
    assert_ignored(event(), Code.EVENT_NO_SENDER)
    assert not Contact.objects.exists()


def test_message_to_an_unknown_number_is_recorded_and_ignored(meta: Meta) -> None:
    assert receipt(meta.post(envelope(value("9999", messages=[text_message()])))) == (0, 0, 1)
    assert_ignored(event(), Code.EVENT_UNKNOWN_NUMBER)


UNKNOWN_KINDS: list[Json] = [
    {"type": "reaction", "reaction": {"message_id": "wamid.0", "emoji": "👍"}},
    {"type": "reaction", "reaction": {"message_id": "wamid.0"}},
    {"type": "system", "system": {"body": "User changed number", "type": "user_changed_number"}},
    {"type": "unsupported", "errors": [{"code": 131051}]},
    {"type": "edit", "edit": {"original_message_id": "wamid.0"}},
    {"type": "revoke", "revoke": {"original_message_id": "wamid.0"}},
    {"type": "order", "order": {"catalog_id": "1"}},
    {"type": "contacts", "contacts": [{"name": {}}]},
    {"type": "hologram", "hologram": {"id": "1"}},
    {"type": "interactive", "interactive": {}},
    {"type": "text", "text": None},
    {"type": "text", "text": {}},
    {"type": ["text"]},
    {"type": None, "text": None},
]


@pytest.mark.parametrize("strange", UNKNOWN_KINDS, ids=[str(each["type"]) for each in UNKNOWN_KINDS])
def test_kind_that_nobody_handles_is_recorded_and_ignored(meta: Meta, strange: Json) -> None:
    assert receipt(meta.say(text_message(**strange))) == (0, 0, 1)
    assert_ignored(event(), Code.EVENT_UNSUPPORTED)
    assert event().kind == EventKind.UNSUPPORTED
    assert event().payload["raw"]["id"] == event().dedupe_key


def test_unknown_kind_of_own_system_is_recorded_and_ignored(own_system: OwnSystem) -> None:
    assert receipt(own_system.say(type="hologram")) == (0, 0, 1)
    assert_ignored(event(), Code.EVENT_UNSUPPORTED)


def assert_ignored(of: ProcessedEvent, code: Code) -> None:
    assert (of.status, of.outcome, of.outcome_code) == (EventStatus.DONE, Outcome.IGNORED, code)
    assert of.done_at is not None
    assert of.conversation is None


KNOWN_KINDS: list[tuple[Json, tuple[str, str]]] = [
    ({"type": "button", "button": {"payload": "YES", "text": "Yes"}}, ("text", "Yes")),
    (
        {
            "type": "interactive",
            "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "Buy"}},
        },
        ("text", "Buy"),
    ),
    (
        {"type": "interactive", "interactive": {"type": "list_reply", "id": "7", "title": "Red"}},
        ("text", "Red"),
    ),
    (
        {"type": "image", "image": {"id": "9", "mime_type": "image/jpeg", "caption": "this"}},
        ("image", "this"),
    ),
    ({"type": "audio", "audio": {"id": "9", "voice": True}}, ("audio", "")),
    ({"type": "sticker", "sticker": {"id": "9"}}, ("image", "")),
    ({"type": "document", "document": {"id": "9", "filename": "a.pdf"}}, ("document", "")),
    (
        {"type": "location", "location": {"latitude": -23.5, "longitude": -46.6, "name": "Home"}},
        ("location", "Home"),
    ),
]


@pytest.mark.parametrize(
    ("part", "expected"), KNOWN_KINDS, ids=[str(part["type"]) for part, _ in KNOWN_KINDS]
)
def test_each_kind_is_read_for_what_was_said(meta: Meta, part: Json, expected: tuple[str, str]) -> None:
    assert receipt(meta.say(text_message(**({"text": None} | part)))) == (1, 0, 0)
    assert (event().payload["type"], event().payload["text"]) == expected


def test_odd_neighbours_do_not_keep_a_good_message_out(meta: Meta) -> None:
    strange = [{}, {"id": 7, "type": 7}, text_message(timestamp="soon"), {"id": "wamid.only"}]
    assert receipt(meta.say(*strange, text_message(timestamp="9" * 30))) == (2, 0, 3)


def test_update_without_messages_is_acknowledged(meta: Meta) -> None:
    change = {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}}
    body = {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [change]}]}
    assert receipt(meta.post(body)) == (0, 0, 0)


def test_platforms_own_time_is_kept(meta: Meta) -> None:
    meta.say(text_message(timestamp="1700000000"))
    assert event().platform_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_overlong_ids_and_names_are_kept_apart_and_overlong_addresses_refused(meta: Meta) -> None:
    long = "wamid." + "x" * 5000
    contacts = [{"profile": {"name": "N" * 5000}, "wa_id": "5511999990001"}]
    messages = [
        text_message(id=long + "1"),
        text_message(id=long + "2"),
        text_message(**{"from": "5" * 5000}),
    ]
    body = envelope(value("1001", contacts=contacts, messages=messages))
    assert receipt(meta.post(body)) == (2, 0, 1)
    assert receipt(meta.post(body)) == (0, 3, 0)
    assert Contact.objects.get().name == "N" * 200
    assert ProcessedEvent.objects.get(outcome=Outcome.IGNORED).outcome_code == Code.EVENT_NO_SENDER


def test_overlong_webhook_id_still_is_one_event(own_system: OwnSystem) -> None:
    assert receipt(own_system.say("one", webhook_id="x" * 2000)) == (1, 0, 0)
    assert receipt(own_system.say("two", webhook_id="x" * 1999)) == (1, 0, 0)
    assert receipt(own_system.say("one", webhook_id="x" * 2000)) == (0, 1, 0)
