"""The model that the engine is held against, and the rules of the architecture (section 4) as checks on the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from conversations.models import Delivery, Direction, Message
from pipeline.models import EventStatus, Mailbox, ProcessedEvent, Turn, TurnStatus
from review.models import APPROVALS, ReviewItem, ReviewStatus
from tests.stateful.world import World

ADDRESSES = ("ada", "ben")
SENT = (Delivery.SENT, Delivery.DELIVERED, Delivery.READ)
OPEN = (Delivery.QUEUED, Delivery.SENDING)


@dataclass
class Expected:
    """What the ledger must know of a message."""

    text: str
    duplicates: int = 0
    conflicts: int = 0
    requeues: int = 0


@dataclass
class Book:
    messages: dict[str, Expected] = field(default_factory=dict)
    epochs: Counter[int] = field(default_factory=Counter)
    risks: Counter[int] = field(default_factory=Counter)
    """How often a person took the risk of sending a message twice."""
    approvals: Counter[str] = field(default_factory=Counter)
    """How often a person approved a proposal made for a message."""


@dataclass
class Rows:
    """All there is in the database, in the order in which it came."""

    @cached_property
    def events(self) -> list[ProcessedEvent]:
        return list(ProcessedEvent.objects.order_by("pk"))

    @cached_property
    def replies(self) -> list[Message]:
        return list(Message.objects.filter(direction=Direction.OUT).order_by("pk"))

    @cached_property
    def mailboxes(self) -> list[Mailbox]:
        return list(Mailbox.objects.order_by("pk"))

    @cached_property
    def running(self) -> list[Turn]:
        return list(Turn.objects.filter(status=TurnStatus.RUNNING))

    @cached_property
    def suspended(self) -> list[Turn]:
        return list(Turn.objects.filter(status=TurnStatus.SUSPENDED))

    @cached_property
    def proposals(self) -> list[ReviewItem]:
        return list(ReviewItem.objects.filter(status=ReviewStatus.OPEN, kind__in=APPROVALS))


def check(book: Book, world: World) -> None:
    rows = Rows()
    every_event_is_on_the_ledger_once_and_knows_its_copies(rows, book)
    event_is_done_if_it_has_an_outcome_and_at_work_if_its_turn_runs(rows)
    conversation_has_one_unfinished_turn_at_most(rows)
    turn_that_waits_for_a_person_has_something_to_decide(rows)
    nothing_waits_unseen(rows)
    events_of_a_conversation_are_answered_in_order(rows)
    epochs_only_rise(rows, book)
    message_is_accepted_once_unless_a_person_took_the_risk(rows, book, world)
    message_called_sent_was_accepted(rows, world)
    messages_of_a_conversation_are_accepted_in_order(rows, book, world)
    approved_tool_ran_no_more_often_than_it_was_approved(book, world)
    tool_that_may_not_run_twice_ran_once_for_a_message(book, world)


def every_event_is_on_the_ledger_once_and_knows_its_copies(rows: Rows, book: Book) -> None:
    known = [(one.dedupe_key, one.duplicates, one.conflicts, one.requeues) for one in rows.events]
    told = [(key, one.duplicates, one.conflicts, one.requeues) for key, one in book.messages.items()]
    assert sorted(known) == sorted(told)


def event_is_done_if_it_has_an_outcome_and_at_work_if_its_turn_runs(rows: Rows) -> None:
    running, suspended = ({turn.pk for turn in turns} for turns in (rows.running, rows.suspended))
    for event in rows.events:
        assert (event.status == EventStatus.DONE) == (event.outcome is not None)
        assert (event.status == EventStatus.PROCESSING) == (event.turn_id in running)
        assert (event.status == EventStatus.HELD) == (event.turn_id in suspended)


def conversation_has_one_unfinished_turn_at_most(rows: Rows) -> None:
    unfinished = [turn.conversation_id for turn in (*rows.running, *rows.suspended)]
    assert len(unfinished) == len(set(unfinished))


def turn_that_waits_for_a_person_has_something_to_decide(rows: Rows) -> None:
    """And nothing is asked for a turn that does not wait."""
    asked = [item.turn_id for item in rows.proposals]
    assert set(asked) == {turn.pk for turn in rows.suspended}


def approved_tool_ran_no_more_often_than_it_was_approved(book: Book, world: World) -> None:
    for key, ran in world.asked.items():
        assert ran <= book.approvals[key], key


def nothing_waits_unseen(rows: Rows) -> None:
    """Where an event or a message waits, the mailbox is due one day, or somebody holds it, or a person is asked."""
    waiting = {event.conversation_id for event in rows.events if event.status != EventStatus.DONE}
    waiting -= {turn.conversation_id for turn in rows.suspended}
    waiting |= {message.conversation_id for message in rows.replies if message.delivery in OPEN}
    heads = {head.pk: head for head in rows.mailboxes}
    for conversation_id in waiting:
        assert heads[conversation_id].due_at or heads[conversation_id].lease_owner, "forgotten"


def events_of_a_conversation_are_answered_in_order(rows: Rows) -> None:
    """No later message is done while an earlier one waits, unless a person sent that back."""
    done: dict[int | None, list[bool]] = defaultdict(list)
    for event in rows.events:
        if not event.requeues:
            done[event.conversation_id].append(event.status == EventStatus.DONE)
    for order in done.values():
        assert order == sorted(order, reverse=True)


def epochs_only_rise(rows: Rows, book: Book) -> None:
    for head in rows.mailboxes:
        assert head.lease_epoch >= book.epochs[head.pk]
        book.epochs[head.pk] = head.lease_epoch


def message_is_accepted_once_unless_a_person_took_the_risk(rows: Rows, book: Book, world: World) -> None:
    accepted = Counter(world.accepted)
    for message in rows.replies:
        assert message.idempotency_key is not None
        assert accepted.pop(message.idempotency_key, 0) <= 1 + book.risks[message.pk]
    assert not accepted, "sent, but on no record"


def message_called_sent_was_accepted(rows: Rows, world: World) -> None:
    assert {one.idempotency_key for one in rows.replies if one.delivery in SENT} <= set(world.accepted)


def messages_of_a_conversation_are_accepted_in_order(rows: Rows, book: Book, world: World) -> None:
    place = {reference: place for place, reference in reversed(list(enumerate(world.accepted)))}
    places: dict[int, list[int]] = defaultdict(list)
    for message in rows.replies:
        if message.idempotency_key in place and not book.risks[message.pk]:
            places[message.conversation_id].append(place[message.idempotency_key])
    for order in places.values():
        assert order == sorted(order)


def tool_that_may_not_run_twice_ran_once_for_a_message(book: Book, world: World) -> None:
    for key, acted in world.acted.items():
        assert acted <= 1 + book.messages[key].requeues, key
