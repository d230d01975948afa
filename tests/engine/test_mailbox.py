"""Leases: whose turn it is, that it is nobody else's, and that no wake-up is ever lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from pipeline.engine import mailbox
from pipeline.engine.listening import listener_parameters
from pipeline.models import Mailbox
from pipeline.policies.errors import StaleError
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
"""Leases go by the database's clock, which stands still within a transaction."""

WITHIN_S = 20


def due(seconds_ago: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds_ago)


def claimed(limit: int = 10, owner: str = "me") -> list[int]:
    return [claim.conversation_id for claim in mailbox.claim(owner=owner, limit=limit)]


def state(conversation_id: int) -> Mailbox:
    return Mailbox.objects.get(pk=conversation_id)


@contextmanager
def another_connection() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**listener_parameters()) as other:
        yield other


def test_longest_due_are_claimed_first_and_no_more_than_asked_for() -> None:
    tenant = factories.tenant()
    channel = factories.channel(agent=factories.agent(tenant=tenant))
    young, old, middle = (
        factories.mailbox(conversation=factories.conversation(channel=channel), due_at=due(seconds))
        for seconds in (1, 30, 10)
    )
    assert set(claimed(limit=2)) == {old.pk, middle.pk}
    assert claimed() == [young.pk]
    assert claimed() == []


def test_what_is_leased_or_not_due_is_not_claimed() -> None:
    factories.leased_mailbox()
    factories.mailbox(due_at=None)
    factories.mailbox(due_at=timezone.now() + timedelta(hours=1))
    assert claimed() == []


def test_claim_names_its_owner_and_raises_the_epoch() -> None:
    waiting = factories.mailbox(due_at=due(1), lease_epoch=6)
    (claim,) = mailbox.claim(owner="me", limit=1)
    assert (claim.conversation_id, claim.lease_owner, claim.lease_epoch) == (waiting.pk, "me", 7)
    leased = state(waiting.pk)
    assert (leased.lease_owner, leased.lease_epoch) == ("me", 7)
    assert leased.lease_expires_at is not None
    assert leased.lease_expires_at > timezone.now()


def test_mailbox_that_another_worker_is_just_claiming_is_passed_over_without_waiting() -> None:
    locked, free = factories.mailbox(due_at=due(9)), factories.mailbox(due_at=due(1))
    with another_connection() as other:
        other.execute("SELECT 1 FROM pipeline_mailbox WHERE conversation_id = %s FOR UPDATE", [locked.pk])
        assert claimed() == [free.pk]
    assert claimed() == [locked.pk]


def test_many_workers_claiming_at_once_share_the_work_without_overlap() -> None:
    channel = factories.channel()
    waiting = {
        factories.mailbox(conversation=factories.conversation(channel=channel), due_at=due(1)).pk
        for _ in range(40)
    }
    barrier = threading.Barrier(4)

    def work(owner: str) -> list[int]:
        barrier.wait(WITHIN_S)
        found: list[int] = []
        while batch := claimed(limit=3, owner=owner):
            found += batch
        connection.close()
        return found

    with ThreadPoolExecutor(4) as workers:
        shares = list(workers.map(work, ["a", "b", "c", "d"]))
    everything = [conversation_id for share in shares for conversation_id in share]
    late = claimed(limit=100)
    assert sorted([*everything, *late]) == sorted(waiting)


def test_lease_that_ran_out_is_due_again_and_its_holder_fenced_off() -> None:
    factories.mailbox(due_at=due(1))
    (old,) = mailbox.claim(owner="slow", limit=1)
    Mailbox.objects.update(lease_expires_at=due(0.001))
    assert mailbox.expire_leases() == 1
    (new,) = mailbox.claim(owner="quick", limit=1)
    assert new.lease_epoch > old.lease_epoch
    for write in (mailbox.clear_due, mailbox.hold):
        with pytest.raises(StaleError):
            write(old.conversation_id, old.lease_epoch)
        write(new.conversation_id, new.lease_epoch)
    mailbox.release(old, due_in_s=None)
    assert state(new.conversation_id).lease_owner == "quick"


def test_leases_of_the_dead_end_at_once_and_those_of_the_living_do_not() -> None:
    dead = factories.leased_mailbox(lease_owner="dead", due_at=None)
    living = factories.leased_mailbox(lease_owner="living", due_at=None)
    assert mailbox.expire_leases(dead_owners=["dead"]) == 1
    assert claimed() == [dead.pk]
    assert state(living.pk).lease_owner == "living"


def test_only_leases_still_held_are_renewed() -> None:
    mine = factories.leased_mailbox(lease_owner="me", lease_expires_at=due(-1))
    theirs = factories.leased_mailbox(lease_owner="them", lease_expires_at=due(-1))
    forgotten = factories.leased_mailbox(lease_owner="me", lease_expires_at=due(-1))
    before = state(mine.pk).lease_expires_at
    assert mailbox.renew("me", [mine.pk, theirs.pk]) == {mine.pk}
    after = state(mine.pk).lease_expires_at
    assert before is not None
    assert after is not None
    assert after > before
    assert state(theirs.pk).lease_expires_at == theirs.lease_expires_at
    assert state(forgotten.pk).lease_expires_at == forgotten.lease_expires_at


def test_released_mailbox_is_due_when_its_holder_said() -> None:
    factories.mailbox(due_at=due(1))
    (claim,) = mailbox.claim(owner="me", limit=1)
    mailbox.clear_due(claim.conversation_id, claim.lease_epoch)
    mailbox.release(claim, due_in_s=60)
    assert claimed() == []
    assert mailbox.next_due_in_s() == pytest.approx(60, abs=5)


def test_wake_while_leased_is_found_when_the_lease_is_given_back() -> None:
    waiting = factories.mailbox(due_at=due(1))
    (claim,) = mailbox.claim(owner="me", limit=1)
    mailbox.clear_due(claim.conversation_id, claim.lease_epoch)
    mailbox.wake([waiting.pk])
    assert claimed() == []
    mailbox.release(claim, due_in_s=60)
    assert claimed() == [waiting.pk]


@pytest.mark.parametrize("first", ["wake", "release"])
def test_wake_and_release_at_the_same_moment_lose_nothing_whoever_is_first(first: str) -> None:
    """Each waits for the other's transaction on the row, and sees what it did."""
    waiting = factories.mailbox(due_at=due(1))
    (claim,) = mailbox.claim(owner="me", limit=1)
    mailbox.clear_due(claim.conversation_id, claim.lease_epoch)
    acts: dict[str, Callable[[], None]] = {
        "wake": lambda: mailbox.wake([waiting.pk]),
        "release": lambda: mailbox.release(claim, due_in_s=None),
    }
    second = next(name for name in acts if name != first)
    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            acts[first]()
            late = elsewhere.submit(in_its_own_transaction, acts[second])
            until_it_waits_for_a_lock(late)
        late.result(WITHIN_S)
    assert claimed() == [waiting.pk]


def in_its_own_transaction(act: Callable[[], None]) -> None:
    try:
        with transaction.atomic():
            act()
    finally:
        connection.close()


def until_it_waits_for_a_lock(late: Future[None]) -> None:
    waits = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waits)
            if cursor.fetchone()[0]:
                return
        assert not late.done(), "it did not wait"


def test_holder_keeps_its_lease_until_its_transaction_ends() -> None:
    factories.leased_mailbox(lease_owner="me", lease_epoch=3, lease_expires_at=due(1))
    held = Mailbox.objects.get()
    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            mailbox.hold(held.pk, 3)
            expiry = elsewhere.submit(in_its_own_transaction, lambda: expired.append(mailbox.expire_leases()))
            expired: list[int] = []
            until_it_waits_for_a_lock(expiry)
            assert state(held.pk).lease_epoch == 3
        expiry.result(WITHIN_S)
    assert expired == [1]
    with pytest.raises(StaleError):
        mailbox.hold(held.pk, 3)
