"""The conversation page of who may act, and of who may only look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.models import Conversation, Message, Note, StaffScope
from review import passes, presence
from tests import factories
from tests.takeover.acts import fresh, take_over

pytestmark = pytest.mark.django_db(transaction=True)

ACTS = ("take_over", "hand_back", "say", "note", "attach")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, conversation: Conversation) -> str:
    return client.get(reverse("review:conversation", args=[conversation.pk])).content.decode()


def act(client: Client, name: str, conversation: Conversation, **fields: Any) -> Any:
    address = reverse(f"review:{name}", args=[conversation.pk])
    return client.post(address, fields, headers={"HX-Request": "true"})


@pytest.fixture
def conversation(transactional_db: None) -> Conversation:
    return factories.message(text="Hello?").conversation


def test_operator_takes_over_and_the_banner_says_so(conversation: Conversation, rita: User) -> None:
    answer = act(browser(rita), "take_over", conversation, owner_epoch=0, reason="asked for a person")
    assert answer.status_code == 200
    assert "<strong>You</strong> answer" in answer.content.decode()
    assert fresh(conversation).owner == rita


def test_late_click_gets_a_plain_answer_and_the_banner_as_it_is(
    conversation: Conversation, rita: User, bruno: User
) -> None:
    take_over(conversation, rita)
    answer = act(browser(bruno), "take_over", conversation, owner_epoch=0, reason="me, too")
    assert answer.status_code == 409
    assert "Rita took it over a moment ago." in answer.content.decode()
    assert "<strong>Rita</strong> answers" in answer.content.decode()


def test_taking_over_needs_a_reason(conversation: Conversation, rita: User) -> None:
    answer = act(browser(rita), "take_over", conversation, owner_epoch=0, reason="  ")
    assert (answer.status_code, fresh(conversation).owner) == (422, None)
    assert answer.headers["HX-Reswap"] == "none", "the form stays as it was filled in"


@pytest.mark.parametrize("way", ["answer", "wait", "note"])
def test_operator_hands_back(conversation: Conversation, rita: User, way: str) -> None:
    take_over(conversation, rita)
    fields = {"owner_epoch": 1, "way": way, "reason": "settled", "note": "Be kind."}
    assert act(browser(rita), "hand_back", conversation, **fields).status_code == 200
    assert fresh(conversation).owner_kind == "agent"
    assert Note.objects.filter(for_agent=True).exists() == (way == "note")


@pytest.mark.parametrize("fields", [{"way": "sideways"}, {"reason": ""}, {"way": "note", "note": ""}])
def test_handing_back_needs_a_way_and_a_reason(
    conversation: Conversation, rita: User, fields: dict[str, str]
) -> None:
    take_over(conversation, rita)
    form = {"owner_epoch": 1, "way": "wait", "reason": "settled"} | fields
    assert act(browser(rita), "hand_back", conversation, **form).status_code == 422
    assert fresh(conversation).owner == rita


def test_form_that_is_sent_twice_says_it_once_and_brings_the_next_key(
    conversation: Conversation, rita: User
) -> None:
    take_over(conversation, rita)
    form = {"key": str(uuid4()), "owner_epoch": 1, "text": "  This is Rita.  "}
    first, second = (act(browser(rita), "say", conversation, **form) for _ in range(2))
    assert [first.headers["HX-Trigger"], second.headers["HX-Trigger"]] == ["zupa:said", "zupa:said"]
    assert list(Message.objects.filter(direction="out").values_list("text", flat=True)) == ["This is Rita."]
    assert form["key"] not in first.content.decode()


@pytest.mark.parametrize(
    "fields", [{"key": "none"}, {"attachment": "none"}, {"owner_epoch": "x"}, {"text": ""}]
)
def test_odd_form_sends_nothing_and_says_so(
    conversation: Conversation, rita: User, fields: dict[str, str]
) -> None:
    take_over(conversation, rita)
    form = {"key": str(uuid4()), "owner_epoch": 1, "text": "Hello"} | fields
    answer = act(browser(rita), "say", conversation, **form)
    assert answer.status_code in (409, 422)
    assert 'role="alert"' in answer.content.decode()
    assert not Message.objects.filter(direction="out").exists()


def test_message_of_a_person_shows_the_name(conversation: Conversation, rita: User) -> None:
    factories.outbound(conversation=conversation, author_kind="person", author=rita, text="This is Rita.")
    assert '<p class="bubble-author">Rita</p>' in page(browser(rita), conversation)


def test_notes_stand_in_the_transcript_where_they_were_written(
    conversation: Conversation, rita: User
) -> None:
    act(browser(rita), "note", conversation, text="Be kind.", for_agent="1")
    factories.message(conversation=conversation, text="Afterwards")
    shown = page(browser(rita), conversation)
    assert shown.index(">Hello?") < shown.index(">Be kind.") < shown.index(">Afterwards")
    assert "Note by Rita" in shown
    assert Note.objects.get().for_agent


def test_auditor_sees_everything_and_no_button(conversation: Conversation, rita: User) -> None:
    factories.note(conversation=conversation, text="Be kind.")
    take_over(conversation, rita)
    shown = page(browser(factories.user("view_conversation")), conversation)
    assert "<strong>Rita</strong> answers" in shown
    assert "Be kind." in shown
    assert [key for key in "tbn" if f'data-key="{key}"' in shown] == []
    assert 'id="composer"' not in shown


@pytest.mark.parametrize("name", ACTS)
def test_auditor_is_refused_every_act(conversation: Conversation, name: str) -> None:
    answer = act(browser(factories.user("view_conversation")), name, conversation, reason="x", owner_epoch=0)
    assert answer.status_code == 403
    assert (fresh(conversation).owner_epoch, Note.objects.exists()) == (0, False)


@pytest.mark.parametrize("name", ACTS)
def test_operator_of_another_tenant_finds_nothing(conversation: Conversation, rita: User, name: str) -> None:
    StaffScope.objects.create(user=rita)
    assert act(browser(rita), name, conversation, reason="x", owner_epoch=0).status_code == 404


@pytest.mark.parametrize("name", ACTS)
def test_acts_need_a_login_a_post_and_a_token(conversation: Conversation, rita: User, name: str) -> None:
    address = reverse(f"review:{name}", args=[conversation.pk])
    assert Client().post(address).status_code == 302
    assert browser(rita).get(address).status_code == 405
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(rita)
    assert careful.post(address).status_code == 403


@pytest.mark.parametrize("name", ["standing", "canned"])
def test_fragments_need_the_pass_of_the_page(conversation: Conversation, rita: User, name: str) -> None:
    address = reverse(f"review:{name}", args=[conversation.pk])
    assert browser(rita).get(address).status_code == 403
    reading_pass = passes.issue(conversation.pk, rita.pk)
    assert browser(rita).get(address, {"pass": reading_pass}).status_code == 200


def test_file_is_shown_to_who_opened_the_conversation_and_to_nobody_else(rita: User) -> None:
    kept = factories.attachment()
    address = reverse("review:attachment", args=[kept.conversation_id, kept.pk])
    reading_pass = passes.issue(kept.conversation_id, rita.pk)
    assert browser(rita).get(address, {"pass": reading_pass}).headers["Content-Type"] == "image/png"
    assert browser(rita).get(address).status_code == 403
    other = reverse("review:attachment", args=[factories.conversation().pk, kept.pk])
    assert browser(rita).get(other, {"pass": reading_pass}).status_code == 403


def test_page_says_who_else_is_here_and_forgets_who_is_gone(
    conversation: Conversation, rita: User, bruno: User
) -> None:
    now = timezone.now()
    factories.presence(conversation=conversation, user=rita)
    factories.presence(conversation=conversation, user=bruno)
    factories.presence(conversation=conversation, user=bruno)
    gone = factories.user(username="Gone")
    factories.presence(conversation=conversation, user=gone, seen_at=now - timedelta(seconds=61))
    assert presence.also_here(conversation.pk, reader=rita, now=now) == ["Bruno"]
    assert "Bruno is also here" in " ".join(page(browser(rita), conversation).split())


def test_list_says_whose_a_conversation_is(conversation: Conversation, rita: User, bruno: User) -> None:
    take_over(conversation, rita)
    address = reverse("review:conversations")
    assert ">mine</span>" in browser(rita).get(address).content.decode()
    assert ">Rita</span>" in browser(bruno).get(address).content.decode()


def test_page_costs_the_same_however_many_notes_and_people_there_are(
    conversation: Conversation, rita: User, django_assert_max_num_queries: Any
) -> None:
    take_over(conversation, rita)
    for _ in range(30):
        factories.note(conversation=conversation)
        factories.presence(conversation=conversation)
    client = browser(rita)
    with django_assert_max_num_queries(25):
        page(client, conversation)
