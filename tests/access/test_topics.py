"""Every topic of the live feed, asked for by those whom it does not concern."""

import inspect
from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import transaction
from django.test import Client

import review.topics
from conversations import live
from conversations.live import announce, conversation_topic
from conversations.models import Conversation, StaffScope, Tenant
from review import access, consumers
from tests import factories
from tests.access.world import MARK, World
from tests.live.test_live_socket import communicator, until, watch
from tests.live.test_live_socket import live as connected

SUFFIX = "_topic"


def topics(world: World) -> Iterator[str]:
    """Of the other tenant: what each function of `conversations.live` makes that is named after a record."""
    named = {model._meta.model_name: record for model, record in world.theirs.items()}
    for name, make in inspect.getmembers(live, inspect.isfunction):
        if name.endswith(SUFFIX):
            stem = name.removesuffix(SUFFIX)
            assert stem in named, (
                f"conversations.live.{name} makes topics of what tests/access/world.py has no record of: make one."
            )
            yield make(named[stem].pk)


PLUMBING = ("NOTIFY", "NOTIFY_CHANNEL")


def constants() -> list[str]:
    """Topics about no record."""
    named = {**vars(live), **vars(review.topics)}
    return [value for name, value in named.items() if name.isupper() and name not in PLUMBING]


@pytest.mark.django_db
def test_topics_of_another_tenant_are_refused_and_ones_own_are_not() -> None:
    world = World()
    user = factories.member("administrator")
    factories.staff_scope(user, world.ours[Tenant])
    theirs, own = set(topics(world)), conversation_topic(world.ours[Conversation].pk)

    assert theirs
    assert access.watchable(user, {*theirs, own}) == {own}


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["nobody", "staff without rights", "a customer"])
def test_every_topic_is_refused_to_who_has_no_rights(who: str) -> None:
    world = World()
    makers = {"a customer": lambda: factories.user("view_conversation", "view_turn", is_staff=False)}
    visitor = access.visitor_now(None) if who == "nobody" else makers.get(who, factories.user)()

    assert access.watchable(visitor, {*topics(world), *constants()}) == set()


def test_a_topic_says_nothing_of_its_own() -> None:
    assert all(MARK not in topic for topic in constants())
    assert conversation_topic(7) == "conversation.7"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("taken", ["the scope", "the right"])
def test_a_topic_goes_with_the_right_to_it_while_the_socket_stays(
    taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = factories.conversation()
    user = factories.user("view_conversation", "view_turn")
    factories.staff_scope(user, where.tenant)
    client = Client()
    client.force_login(user)
    topic = conversation_topic(where.pk)

    def take() -> None:
        if taken == "the scope":
            StaffScope.objects.get(user=user).tenants.clear()
        else:
            user.user_permissions.set(user.user_permissions.exclude(codename="view_conversation"))

    def change() -> None:
        with transaction.atomic():
            announce(topic)

    async def scenario() -> None:
        monkeypatch.setattr(consumers, "HEARTBEAT_S", 0.1)
        async with connected(client) as socket:
            assert await watch(socket, topic) == []
            await database_sync_to_async(take)()
            assert await until(socket, "refused") == {"watching": [], "refused": [topic]}
            await database_sync_to_async(change)()
            for _beat in range(3):
                assert await socket.receive_json_from() == {"heartbeat": True}

    async_to_sync(scenario)()


@pytest.mark.django_db(transaction=True)
def test_a_page_of_another_site_cannot_listen_with_ones_cookies() -> None:
    client = Client()
    client.force_login(factories.superuser())

    async def scenario() -> None:
        for origin in (b"https://elsewhere.example", b"null", b""):
            is_connected, _code = await communicator(client, origin=origin).connect()
            assert not is_connected, origin

    async_to_sync(scenario)()
