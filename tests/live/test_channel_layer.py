"""The NOTIFY channel layer against a real PostgreSQL."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.db import connection, transaction

from conversations.channel_layer import INTERRUPTED, RESYNC, NotifyChannelLayer
from conversations.live import announce, changed

pytestmark = pytest.mark.django_db(transaction=True)

TOPIC = "conversation.12"
WAIT_S = 5.0
QUIET_S = 0.3


async def next_event(layer: NotifyChannelLayer, channel: str) -> Any:
    return await asyncio.wait_for(layer.receive(channel), WAIT_S)


async def nothing_comes(layer: NotifyChannelLayer, channel: str) -> bool:
    try:
        await asyncio.wait_for(layer.receive(channel), QUIET_S)
    except TimeoutError:
        return True
    return False


async def watching(layer: NotifyChannelLayer, topic: str = TOPIC) -> str:
    """A channel in the group, past the resync that says the listener has begun."""
    channel = await layer.new_channel()
    await layer.group_add(topic, channel)
    assert await next_event(layer, channel) == RESYNC
    return channel


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async_to_sync(test)()


def test_committed_announcement_reaches_the_group() -> None:
    def change() -> None:
        with transaction.atomic():
            announce(TOPIC, "conversation.13")

    async def scenario() -> None:
        layer = NotifyChannelLayer()
        channel = await watching(layer)
        await database_sync_to_async(change)()
        assert await next_event(layer, channel) == changed(TOPIC)
        assert await nothing_comes(layer, channel)

    in_loop(scenario)


def test_rolled_back_announcement_reaches_nobody() -> None:
    def change_and_regret() -> None:
        with transaction.atomic():
            announce(TOPIC)
            transaction.set_rollback(True)

    async def scenario() -> None:
        layer = NotifyChannelLayer()
        channel = await watching(layer)
        await database_sync_to_async(change_and_regret)()
        assert await nothing_comes(layer, channel)

    in_loop(scenario)


def test_group_send_goes_through_the_database_to_every_layer() -> None:
    async def scenario() -> None:
        ours, theirs = NotifyChannelLayer(), NotifyChannelLayer()
        here, there = await watching(ours), await watching(theirs)
        await ours.group_send(TOPIC, changed(TOPIC))
        assert await next_event(ours, here) == changed(TOPIC)
        assert await next_event(theirs, there) == changed(TOPIC)

    in_loop(scenario)


def test_group_send_refuses_what_is_no_announcement() -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="Only"):
            await NotifyChannelLayer().group_send(TOPIC, {"type": "chat.message", "text": "hello"})

    in_loop(scenario)


def test_discarded_channel_hears_nothing_more() -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer()
        channel = await watching(layer)
        await layer.group_discard(TOPIC, channel)
        await layer.group_send(TOPIC, changed(TOPIC))
        assert await nothing_comes(layer, channel)

    in_loop(scenario)


def test_lost_listener_comes_back_and_says_that_announcements_may_be_missed() -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer()
        channel = await watching(layer)
        await database_sync_to_async(terminate_listeners)()
        assert await next_event(layer, channel) == INTERRUPTED
        assert await next_event(layer, channel) == RESYNC
        await layer.group_send(TOPIC, changed(TOPIC))
        assert await next_event(layer, channel) == changed(TOPIC)

    in_loop(scenario)


def terminate_listeners() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'zupa-live' AND datname = current_database()"
        )


def test_listener_waits_for_a_database_that_is_not_up_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer()
        with monkeypatch.context() as away:
            away.setitem(connection.settings_dict, "NAME", "not_there_yet")
            channel = await layer.new_channel()
            await layer.group_add(TOPIC, channel)
            assert await next_event(layer, channel) == INTERRUPTED
        assert await next_event(layer, channel) == RESYNC

    in_loop(scenario)


def test_slow_channel_gets_one_resync_instead_of_a_growing_queue() -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer(capacity=3)
        channel = await layer.new_channel()
        for number in range(4):
            await layer.send(channel, changed(f"conversation.{number}"))
        assert await next_event(layer, channel) == RESYNC
        assert await nothing_comes(layer, channel)

    in_loop(scenario)


def test_equal_announcements_wait_as_one() -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer()
        channel = await layer.new_channel()
        for _ in range(5):
            await layer.send(channel, changed(TOPIC))
        assert await next_event(layer, channel) == changed(TOPIC)
        assert await nothing_comes(layer, channel)

    in_loop(scenario)


def test_what_is_said_again_counts_from_then() -> None:
    """Else a channel that was busy while the database came, went and came would take it for away."""

    async def scenario() -> None:
        layer = NotifyChannelLayer()
        channel = await layer.new_channel()
        for message in (RESYNC, INTERRUPTED, RESYNC):
            await layer.send(channel, message)
        assert await next_event(layer, channel) == INTERRUPTED
        assert await next_event(layer, channel) == RESYNC
        assert await nothing_comes(layer, channel)

    in_loop(scenario)


def test_abandoned_channel_leaves_its_groups_and_resyncs_should_it_live() -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer(expiry=0)
        channel = await watching(layer)
        await layer.send(channel, changed("conversation.1"))
        await layer.send(channel, changed("conversation.2"))
        assert await nothing_comes(layer, channel)
        await layer.group_add(TOPIC, channel)
        await layer.group_send(TOPIC, changed(TOPIC))
        assert await next_event(layer, channel) == changed(TOPIC)

    in_loop(scenario)


def test_message_to_an_unknown_channel_is_dropped() -> None:
    async def scenario() -> None:
        await NotifyChannelLayer().send("specific.notify!gone", changed(TOPIC))

    in_loop(scenario)


def test_invalid_names_are_refused() -> None:
    async def scenario() -> None:
        layer = NotifyChannelLayer()
        with pytest.raises(TypeError):
            await layer.group_add("no spaces", await layer.new_channel())
        with pytest.raises(TypeError):
            await layer.send("no spaces", changed(TOPIC))

    in_loop(scenario)


def test_listener_connection_ends_with_its_loop() -> None:
    async def scenario() -> None:
        await watching(NotifyChannelLayer())

    in_loop(scenario)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'zupa-live' AND datname = current_database()"
        )
        assert cursor.fetchone() == (0,)
