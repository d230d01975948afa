"""`/ws/live/` through the site's own ASGI application, with a real session and a real database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from conversations.live import DASHBOARD, announce
from review import consumers
from review.consumers import BAD_REQUEST, FORBIDDEN, UNAUTHENTICATED
from tests import factories
from zupa_site.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = "conversation.12"
WAIT_S = 5


@pytest.fixture
def reviewer() -> User:
    return factories.user("view_conversation", "view_turn")


@pytest.fixture
def client_of_reviewer(reviewer: User) -> Client:
    client = Client()
    client.force_login(reviewer)
    return client


def communicator(client: Client, origin: bytes = b"http://localhost") -> WebsocketCommunicator:
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = [(b"origin", origin), (b"host", b"localhost"), (b"cookie", cookie.encode())]
    return WebsocketCommunicator(application, "/ws/live/", headers=headers)


@asynccontextmanager
async def live(client: Client) -> AsyncIterator[WebsocketCommunicator]:
    socket = communicator(client)
    connected, _ = await socket.connect(timeout=WAIT_S)
    assert connected
    yield socket
    await socket.disconnect(timeout=WAIT_S)


async def watch(socket: WebsocketCommunicator, *topics: str) -> list[str]:
    """Returns the topics that were refused, once the listener is up."""
    await socket.send_json_to({"watch": list(topics)})
    refused = (await until(socket, "watching"))["refused"]
    await until(socket, "resync")
    return list(refused)


async def until(socket: WebsocketCommunicator, key: str) -> dict[str, Any]:
    while True:
        said = await socket.receive_json_from(timeout=WAIT_S)
        if key in said:
            return dict(said)


async def close_code(socket: WebsocketCommunicator) -> int:
    connected, _ = await socket.connect(timeout=WAIT_S)
    assert connected, "the code of a refused handshake never reaches a browser"
    said = await socket.receive_output(timeout=WAIT_S)
    assert said["type"] == "websocket.close"
    await socket.disconnect()
    return int(said["code"])


def commit(*topics: str) -> None:
    with transaction.atomic():
        announce(*topics)


in_database: Callable[[Callable[..., None]], Any] = database_sync_to_async


def test_committed_change_reaches_a_watching_browser(client_of_reviewer: Client) -> None:
    async def scenario() -> None:
        async with live(client_of_reviewer) as socket:
            await watch(socket, TOPIC, DASHBOARD)
            await in_database(commit)(TOPIC, "conversation.99")
            assert await until(socket, "changed") == {"changed": [TOPIC]}

    async_to_sync(scenario)()


def test_rolled_back_change_reaches_no_browser(client_of_reviewer: Client) -> None:
    def regret() -> None:
        with transaction.atomic():
            announce(TOPIC)
            transaction.set_rollback(True)

    async def scenario() -> None:
        async with live(client_of_reviewer) as socket:
            await watch(socket, TOPIC)
            await in_database(regret)()
            assert await socket.receive_nothing(timeout=0.3)

    async_to_sync(scenario)()


def test_many_changes_come_together(client_of_reviewer: Client) -> None:
    async def scenario() -> None:
        async with live(client_of_reviewer) as socket:
            await watch(socket, TOPIC, DASHBOARD)
            for _ in range(20):
                await in_database(commit)(TOPIC, DASHBOARD)
            await asyncio.sleep(2 * consumers.MIN_INTERVAL_S)
            messages = 0
            while not await socket.receive_nothing(timeout=0.1):
                await socket.receive_json_from()
                messages += 1
            assert 1 <= messages <= 5

    async_to_sync(scenario)()


def test_topic_no_longer_watched_is_silent(client_of_reviewer: Client) -> None:
    async def scenario() -> None:
        async with live(client_of_reviewer) as socket:
            await watch(socket, TOPIC)
            await socket.send_json_to({"watch": [DASHBOARD]})
            await until(socket, "watching")
            await in_database(commit)(TOPIC)
            assert await socket.receive_nothing(timeout=0.3)

    async_to_sync(scenario)()


def test_lost_database_connection_is_told_and_recovers_by_itself(client_of_reviewer: Client) -> None:
    def terminate_listeners() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'zupa-live' AND datname = current_database()"
            )

    async def scenario() -> None:
        async with live(client_of_reviewer) as socket:
            await watch(socket, TOPIC)
            await in_database(terminate_listeners)()
            assert await socket.receive_json_from(timeout=WAIT_S) == {"interrupted": True}
            assert await socket.receive_json_from(timeout=WAIT_S) == {"resync": True}
            await in_database(commit)(TOPIC)
            assert await until(socket, "changed") == {"changed": [TOPIC]}

    async_to_sync(scenario)()


def test_anonymous_browser_is_refused() -> None:
    async def scenario() -> None:
        assert await close_code(communicator(Client())) == UNAUTHENTICATED

    async_to_sync(scenario)()


@pytest.mark.parametrize("permissions", [(), ("view_tenant",)])
def test_staff_without_the_right_are_refused(permissions: tuple[str, ...]) -> None:
    client = Client()
    client.force_login(factories.user(*permissions))

    async def scenario() -> None:
        assert await close_code(communicator(client)) == FORBIDDEN

    async_to_sync(scenario)()


def test_user_who_is_not_staff_is_refused() -> None:
    client = Client()
    client.force_login(factories.user("view_conversation", is_staff=False))

    async def scenario() -> None:
        assert await close_code(communicator(client)) == FORBIDDEN

    async_to_sync(scenario)()


def test_foreign_page_is_refused(client_of_reviewer: Client) -> None:
    async def scenario() -> None:
        socket = communicator(client_of_reviewer, origin=b"https://elsewhere.example")
        connected, _ = await socket.connect(timeout=WAIT_S)
        assert not connected

    async_to_sync(scenario)()


def test_each_topic_needs_its_own_right() -> None:
    client = Client()
    client.force_login(factories.user("view_turn"))

    async def scenario() -> None:
        async with live(client) as socket:
            assert await watch(socket, TOPIC, DASHBOARD, "secrets") == [TOPIC, "secrets"]

    async_to_sync(scenario)()


@pytest.mark.parametrize("change", ["logout", "deactivation", "lost right"])
def test_socket_of_somebody_who_lost_access_is_closed(
    change: str, client_of_reviewer: Client, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose() -> None:
        if change == "logout":
            client_of_reviewer.session.delete()
        elif change == "deactivation":
            User.objects.filter(pk=reviewer.pk).update(is_active=False)
        else:
            reviewer.user_permissions.clear()

    async def scenario() -> None:
        monkeypatch.setattr(consumers, "HEARTBEAT_S", 0.1)
        async with live(client_of_reviewer) as socket:
            await until(socket, "heartbeat")
            await in_database(lose)()
            said = await socket.receive_output(timeout=WAIT_S)
            while said["type"] != "websocket.close":
                said = await socket.receive_output(timeout=WAIT_S)
            assert said["code"] == (FORBIDDEN if change == "lost right" else UNAUTHENTICATED)

    async_to_sync(scenario)()


@pytest.mark.parametrize(
    "text", ["no json", "[]", "{}", '{"watch": "all"}', '{"watch": [%s]}' % ("1," * 300 + "1")]
)
def test_malformed_request_closes_the_socket(text: str, client_of_reviewer: Client) -> None:
    async def scenario() -> None:
        async with live(client_of_reviewer) as socket:
            await socket.send_to(text_data=text)
            said = await socket.receive_output(timeout=WAIT_S)
            assert (said["type"], said["code"]) == ("websocket.close", BAD_REQUEST)

    async_to_sync(scenario)()
