"""Who may work on which conversation, when.

A lease is a row with an owner, an end and an epoch. Each claim and each expiry raises the epoch, and everything a
worker writes is conditional on the epoch it claimed under: a worker that lost its lease can no longer do harm.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from audit.compiled import execute, fetch
from conversations.models import MAX_BURST_S
from pipeline.policies.errors import Code, StaleError

LEASE_S = 20.0
WAKE_CHANNEL = "zupa_wake"
"""NOTIFY channel on which executors that are awake hear of due work."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`has_outbox`: whether something was queued or being sent when it was claimed."""

    conversation_id: int
    lease_owner: str
    lease_epoch: int
    has_outbox: bool = True


@dataclass(frozen=True, slots=True)
class Rest:
    """How work on a conversation ends: due again in `due_in_s`, None for when it is woken.

    `is_released`: the lease was given back with the last thing that was written.
    """

    due_in_s: float | None = None
    is_released: bool = False


def wake(conversation_ids: Collection[int], *, burst_window_s: float = 0.0) -> None:
    """Make the mailboxes due, in the caller's transaction. Locks rows in id order: callers don't deadlock.

    With a burst window, due once nothing more came for that long, but at most `MAX_BURST_S` after the first message.
    The lock also puts events of one conversation that arrive at once into one order.
    """
    execute(
        WAKE,
        {
            "ids": sorted(conversation_ids),
            "window_s": burst_window_s,
            "max_s": MAX_BURST_S,
            "channel": WAKE_CHANNEL,
        },
    )


WAKE = """
WITH woken AS (
    INSERT INTO pipeline_mailbox AS known (
        conversation_id, tenant_id, due_at, burst_since, lease_owner, lease_epoch
    )
    SELECT id, tenant_id, now() + make_interval(secs => %(window_s)s), now(), '', 0
    FROM conversations_conversation WHERE id = ANY(%(ids)s) ORDER BY id
    ON CONFLICT (conversation_id) DO UPDATE SET
        burst_since = COALESCE(known.burst_since, now()),
        due_at = CASE WHEN known.burst_since IS NULL THEN LEAST(known.due_at, excluded.due_at)
            ELSE LEAST(known.burst_since + make_interval(secs => %(max_s)s), excluded.due_at) END
)
SELECT pg_notify(%(channel)s, '')
"""


def claim(*, owner: str, limit: int) -> list[Claim]:
    """Lease up to `limit` due mailboxes, passing over those that others are just claiming.

    Tenants take turns: first the longest due of each, beginning with who has the fewest in flight, then the second
    of each. None gets more than its `max_in_flight`.
    """
    leased = fetch(CLAIM, {"owner": owner, "lease_s": LEASE_S, "limit": limit})
    return [Claim(conversation_id, owner, *rest) for conversation_id, *rest in leased]


CLAIM = """
WITH in_flight AS (
    SELECT tenant_id, count(*) AS number FROM pipeline_mailbox WHERE lease_owner <> '' GROUP BY tenant_id
), candidate AS (
    SELECT due.conversation_id, COALESCE(in_flight.number, 0) + due.place AS rank, due.due_at
    FROM conversations_tenant AS tenant
    LEFT JOIN in_flight ON in_flight.tenant_id = tenant.id
    CROSS JOIN LATERAL (
        SELECT conversation_id, due_at, row_number() OVER (ORDER BY due_at) AS place FROM pipeline_mailbox
        WHERE tenant_id = tenant.id AND due_at <= now() AND lease_owner = '' ORDER BY due_at LIMIT %(limit)s
    ) AS due
    WHERE COALESCE(in_flight.number, 0) + due.place <= tenant.max_in_flight
    ORDER BY rank, due_at LIMIT %(limit)s
), free AS (
    SELECT mailbox.conversation_id FROM pipeline_mailbox AS mailbox JOIN candidate USING (conversation_id)
    WHERE mailbox.lease_owner = '' AND mailbox.due_at <= now() FOR UPDATE OF mailbox SKIP LOCKED
)
UPDATE pipeline_mailbox AS mailbox
SET lease_owner = %(owner)s, lease_epoch = lease_epoch + 1,
    lease_expires_at = now() + make_interval(secs => %(lease_s)s)
FROM free WHERE mailbox.conversation_id = free.conversation_id
RETURNING mailbox.conversation_id, mailbox.lease_epoch, EXISTS (
    SELECT FROM conversations_message AS message
    WHERE message.conversation_id = mailbox.conversation_id AND message.delivery IN ('queued', 'sending')
)
"""


def next_due_in_s() -> float | None:
    """Seconds until the next mailbox that nobody works on is due, negative if it is; None if there is none."""
    ((seconds,),) = fetch(
        "SELECT EXTRACT(EPOCH FROM min(due_at) - now())::float FROM pipeline_mailbox"
        " WHERE due_at IS NOT NULL AND lease_owner = ''"
    )
    return None if seconds is None else float(seconds)


def clear_due(conversation_id: int, lease_epoch: int) -> None:
    """Say that the waiting events are about to be read. Raises `StaleError` when the lease is lost."""
    cleared = execute(
        "UPDATE pipeline_mailbox SET due_at = NULL, burst_since = NULL"
        " WHERE conversation_id = %s AND lease_epoch = %s",
        [conversation_id, lease_epoch],
    )
    if not cleared:
        raise _lease_lost(conversation_id)


def look_again(conversation_id: int, *, in_s: float) -> None:
    """Make it due after that long. Under the lock of `clear_due`, so that whoever wakes it meanwhile comes after."""
    execute(
        "UPDATE pipeline_mailbox SET due_at = now() + make_interval(secs => %s) WHERE conversation_id = %s",
        [in_s, conversation_id],
    )


def hold(conversation_id: int, lease_epoch: int) -> None:
    """Keep the lease from ending before the caller's transaction does. Raises `StaleError` when it is lost."""
    held = execute(
        "SELECT FROM pipeline_mailbox WHERE conversation_id = %s AND lease_epoch = %s FOR SHARE",
        [conversation_id, lease_epoch],
    )
    if not held:
        raise _lease_lost(conversation_id)


def lock(conversation_id: int) -> None:
    """Keep workers and ingress from changing it before the caller's transaction ends."""
    execute("SELECT FROM pipeline_mailbox WHERE conversation_id = %s FOR UPDATE", [conversation_id])


def hold_with_owner(conversation_id: int, lease_epoch: int) -> int:
    """`hold`, and the conversation's owner, too; the owner's epoch. Raises `StaleError` when the lease is lost.

    Locks the conversation, then its mailbox: the order that commit point, sends and takeover keep.
    """
    held = fetch(HOLD_WITH_OWNER, [conversation_id, lease_epoch])
    if not held:
        raise _lease_lost(conversation_id)
    return int(held[0][0])


def hold_for_owner(conversation_id: int, lease_epoch: int, owner_epoch: int) -> None:
    """`hold_with_owner` for who may only go on under the owner it began under. Raises `StaleError`."""
    if hold_with_owner(conversation_id, lease_epoch) != owner_epoch:
        raise StaleError(Code.TURN_OWNER_CHANGED, "A person took the conversation over while the turn ran.")


HOLD_WITH_OWNER = """
SELECT conversation.owner_epoch FROM conversations_conversation AS conversation
JOIN pipeline_mailbox AS mailbox ON mailbox.conversation_id = conversation.id
WHERE conversation.id = %s AND mailbox.lease_epoch = %s
FOR NO KEY UPDATE OF conversation FOR SHARE OF mailbox
"""


def release(claim: Claim, *, due_in_s: float | None) -> None:
    """Give the lease back; due again in `due_in_s`, or at once if something came in. A lost lease is no error."""
    execute(RELEASE, to_release(claim, due_in_s=due_in_s))


RELEASE = """
UPDATE pipeline_mailbox
SET lease_owner = '', lease_expires_at = NULL,
    due_at = LEAST(due_at, now() + make_interval(secs => %(due_in_s)s::float))
WHERE conversation_id = %(conversation_id)s AND lease_epoch = %(lease_epoch)s
"""


def to_release(claim: Claim, *, due_in_s: float | None) -> dict[str, Any]:
    """The parameters of `RELEASE`."""
    return {
        "conversation_id": claim.conversation_id,
        "lease_epoch": claim.lease_epoch,
        "due_in_s": due_in_s,
    }


def renew(owner: str, conversation_ids: Sequence[int]) -> set[int]:
    """Extend these leases of `owner`; those it still holds. One it has forgotten about is left to run out."""
    renewed = fetch(
        """
        UPDATE pipeline_mailbox SET lease_expires_at = now() + make_interval(secs => %s)
        WHERE lease_owner = %s AND conversation_id = ANY(%s) RETURNING conversation_id
        """,
        [LEASE_S, owner, list(conversation_ids)],
    )
    return {conversation_id for (conversation_id,) in renewed}


def expire_leases(*, dead_owners: Sequence[str] = ()) -> int:
    """Make due what was leased to `dead_owners`, or to anyone whose lease has run out. The number of leases ended."""
    return execute(
        """
        UPDATE pipeline_mailbox
        SET lease_owner = '', lease_expires_at = NULL, lease_epoch = lease_epoch + 1, due_at = now()
        WHERE lease_owner <> '' AND (lease_expires_at <= now() OR lease_owner = ANY(%s))
        """,
        [list(dead_owners)],
    )


def has_due_work() -> bool:
    ((is_due,),) = fetch(
        "SELECT EXISTS (SELECT FROM pipeline_mailbox WHERE due_at <= now() AND lease_owner = '')"
    )
    return bool(is_due)


def _lease_lost(conversation_id: int) -> StaleError:
    return StaleError(
        Code.TURN_LEASE_LOST, f"The lease on conversation {conversation_id} went to another worker."
    )
