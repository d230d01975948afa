"""Who gets into the console, and what it leaves behind that they were there."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry
from review import passes
from tests import factories


def fragment(client: Client, conversation_id: int, reading_pass: str) -> int:
    address = reverse("review:transcript", args=[conversation_id])
    return client.get(address, {"pass": reading_pass}, headers={"HX-Request": "true"}).status_code


@pytest.mark.parametrize("name", ["conversations", "rows", "more_rows"])
def test_pages_send_an_anonymous_visitor_to_the_login(name: str, client: Client) -> None:
    response = client.get(reverse(f"review:{name}"))
    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("admin:login"))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["conversation", "transcript", "earlier"])
def test_conversations_send_an_anonymous_visitor_to_the_login(name: str, client: Client) -> None:
    response = client.get(reverse(f"review:{name}", args=[factories.conversation().pk]))
    assert response.status_code == 302


def test_fragment_sends_the_whole_page_to_the_login_and_back(client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/review/conversations/?q=ana"}
    response = client.get(reverse("review:rows"), headers=headers)
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/admin/login/?next=%2Freview%2Fconversations%2F%3Fq%3Dana"


@pytest.mark.django_db
@pytest.mark.parametrize(("permissions", "is_staff"), [((), True), (("view_conversation",), False)])
def test_visitor_without_the_right_is_told_so(
    permissions: tuple[str, ...], is_staff: bool, client: Client
) -> None:
    client.force_login(factories.user(*permissions, is_staff=is_staff))
    response = client.get(reverse("review:conversations"))
    assert response.status_code == 403
    assert "You may not read conversations" in response.content.decode()


def test_opening_a_conversation_is_recorded_once(browser_of_reviewer: Client, reviewer: User) -> None:
    conversation = factories.conversation()
    browser_of_reviewer.get(reverse("review:conversation", args=[conversation.pk]))
    fragment(browser_of_reviewer, conversation.pk, passes.issue(conversation.pk, reviewer.pk))
    entry = AuditEntry.objects.get(action="conversation.read")
    assert (entry.actor_kind, entry.actor) == ("person", "rita")
    assert (entry.object_id, entry.conversation_id) == (str(conversation.pk), str(conversation.pk))
    assert entry.contact_id == str(conversation.contact_id)


def test_looking_at_the_list_is_not_reading(browser_of_reviewer: Client) -> None:
    factories.message(text="my secret")
    response = browser_of_reviewer.get(reverse("review:conversations"))
    assert "my secret" not in response.content.decode()
    assert not AuditEntry.objects.exists()


def test_fragment_needs_the_pass_of_its_own_page_and_reader(
    browser_of_reviewer: Client, reviewer: User
) -> None:
    conversation, other = factories.conversation(), factories.conversation()
    assert fragment(browser_of_reviewer, conversation.pk, "") == 403
    assert fragment(browser_of_reviewer, conversation.pk, passes.issue(other.pk, reviewer.pk)) == 403
    assert (
        fragment(browser_of_reviewer, conversation.pk, passes.issue(conversation.pk, reviewer.pk + 1)) == 403
    )
    assert fragment(browser_of_reviewer, conversation.pk, passes.issue(conversation.pk, reviewer.pk)) == 200


def test_unknown_conversation_is_not_found(browser_of_reviewer: Client) -> None:
    assert browser_of_reviewer.get(reverse("review:conversation", args=[10**17])).status_code == 404
    assert not AuditEntry.objects.exists()


def test_pages_only_read(browser_of_reviewer: Client) -> None:
    assert browser_of_reviewer.post(reverse("review:conversations")).status_code == 405


def test_browser_keeps_no_copy_and_runs_no_inline_script(browser_of_reviewer: Client) -> None:
    conversation = factories.message().conversation
    response = browser_of_reviewer.get(reverse("review:conversation", args=[conversation.pk]))
    policy, page = response.headers["Content-Security-Policy"], response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "style=" not in page
    assert "<script>" not in page
