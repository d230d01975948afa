"""What a webhook brought, on record: statuses on the messages they speak of, events behind the fence."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from django.db import transaction

from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Channel
from conversations.operations import KnownContact, open_conversations
from pipeline.channels import follow_platform
from pipeline.controls.switchboard import subject_at
from pipeline.engine import mailbox
from pipeline.engine.broker import enqueue_drain
from pipeline.engine.statuses import StatusUpdate, apply_statuses
from pipeline.ingress import admission, door, fence, hand_replies
from pipeline.ingress.admission import Verdict
from pipeline.ingress.errors import IntakePausedError
from pipeline.ingress.fence import Copies, Row
from pipeline.models import Outcome
from pipeline.policies.errors import Code
from pipeline.policies.switches import Capability, Rule, SwitchAction, strictest
from pipeline.transports.base import MAX_ID_LENGTH, Delivery, HandReply, InboundEvent, PlatformReport

MAX_ADDRESS_LENGTH = 128
MAX_NAME_LENGTH = 200

Item = TypeVar("Item", InboundEvent, StatusUpdate, HandReply, PlatformReport)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one POST, as the platform is told."""

    accepted: int
    duplicates: int
    ignored: int

    def __add__(self, other: "Receipt") -> "Receipt":
        return Receipt(
            self.accepted + other.accepted, self.duplicates + other.duplicates, self.ignored + other.ignored
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """One channel's events of a POST. By address: who of them is new to be answered, under what name; who is known;
    whose messages end at the door."""

    channel: Channel
    copies: Mapping[str, Copies]
    names: Mapping[str, str]
    contacts: Mapping[str, KnownContact]
    verdicts: Mapping[str, Verdict]


def accept(
    *, channel: Channel, delivery: Delivery, rules: tuple[Rule, ...], request_id: str, now: datetime
) -> Receipt:
    """Record what a POST brought and wake the engine. Idempotent by the events' dedupe keys and the statuses' ranks.

    Raises `IntakePausedError` where one of the `rules` in force pauses intake, and `admission.PushBackError`: told
    before a transaction is begun, so that refusing stays cheap.
    """
    channels = _channels(channel, delivery)
    arrivals = [
        _judged(target, events, rules) if target else _judged(channel, _for_nobody(events), rules)
        for target, events in _by_channel(delivery.events, channels)
    ]
    with transaction.atomic():  # mailboxes, then messages: as sends lock them
        receipts = [_record(arrival, request_id, now) for arrival in arrivals]
        return sum(receipts, start=_record_reports(delivery, channels, now))


def _record_reports(delivery: Delivery, channels: Mapping[str, Channel], now: datetime) -> Receipt:
    """What became of messages that we sent, what our own number wrote, and how the channels fare."""
    receipt = Receipt(0, 0, delivery.ignored_statuses)
    for target, statuses in _by_channel(delivery.statuses, channels):
        receipt += _tally(apply_statuses(target, statuses) if target else None, statuses)
    for target, replies in _by_channel(delivery.hand_replies, channels):
        receipt += _tally(hand_replies.take(target, replies, now=now) if target else None, replies)
    for target, reports in _by_channel(delivery.reports, channels):
        receipt += _tally([_follow(target, report, now) for report in reports] if target else None, reports)
    return receipt


def _channels(channel: Channel, delivery: Delivery) -> dict[str, Channel]:
    """By external id: one POST can speak of several numbers of the same account."""
    own = {"": channel, channel.external_id: channel}
    brought = (delivery.events, delivery.statuses, delivery.hand_replies, delivery.reports)
    named = {item.external_id for items in brought for item in items}
    others = named - set(own)
    if not others:
        return own
    siblings = Channel.objects.select_related("tenant", "agent").filter(
        tenant_id=channel.tenant_id, kind=channel.kind, is_active=True
    )
    return own | {sibling.external_id: sibling for sibling in siblings.filter(external_id__in=others)}


def _by_channel(
    items: Sequence[Item], channels: Mapping[str, Channel]
) -> list[tuple[Channel | None, list[Item]]]:
    """In the order of the channels' ids, so that two POSTs lock alike; what is for a strange number comes last."""
    grouped: dict[Channel | None, list[Item]] = {}
    for item in items:
        grouped.setdefault(channels.get(item.external_id), []).append(item)
    return sorted(grouped.items(), key=lambda group: (group[0] is None, group[0] and group[0].pk))


def _tally(effects: Sequence[bool | None] | None, items: Sequence[object]) -> Receipt:
    """`effects`: for each item, True if it was news, False if it was not, None if it tells us nothing.

    None instead of them: the items are for a number that is not ours.
    """
    number = Counter([None] * len(items) if effects is None else effects)
    return Receipt(number[True], number[False], number[None])


def _follow(channel: Channel, report: PlatformReport, now: datetime) -> bool:
    """A platform whose clock is ahead must not silence its later reports."""
    return follow_platform(channel_id=channel.pk, trouble=report.trouble, at=min(report.at, now), now=now)


def _ignore(event: InboundEvent, code: Code) -> InboundEvent:
    return replace(event, ignored_code=code)


def _for_nobody(events: Sequence[InboundEvent]) -> list[InboundEvent]:
    return [_ignore(event, Code.EVENT_UNKNOWN_NUMBER) for event in events]


def _judged(channel: Channel, events: Sequence[InboundEvent], rules: tuple[Rule, ...]) -> Arrival:
    """Raises as `accept` does."""
    copies = fence.by_key([_bounded(event) for event in events])
    addresses = {same.first.address for same in copies.values() if same.first.ignored_code is None}
    known = door.look(channel, dedupe_keys=copies, addresses=addresses)
    names = {
        same.first.address: same.first.contact_name
        for key, same in copies.items()
        if same.first.ignored_code is None and key not in known.seen
    }
    ended = _switched(channel, names, known.contacts, rules)
    judged = admission.judge(channel, names.keys() - ended.keys(), known)
    return Arrival(channel, copies, names, known.contacts, ended | judged)


def _record(arrival: Arrival, request_id: str, now: datetime) -> Receipt:
    channel, copies = arrival.channel, arrival.copies
    conversations = open_conversations(channel=channel, names=arrival.names, known=arrival.contacts, now=now)
    ended = {conversations[address]: verdict for address, verdict in arrival.verdicts.items()}
    _wake(channel, set(conversations.values()) - set(ended))
    rows = [_row(each, conversations.get(each.first.address), ended) for each in copies.values()]
    inserted = fence.insert(channel, rows, request_id=request_id, now=now)
    _say_why(channel, ended, now)
    if conversations:
        announce(DASHBOARD, *map(conversation_topic, conversations.values()))
    ignored = sum(1 for key in inserted if copies[key].first.ignored_code)
    delivered = sum(1 + each.repeats for each in copies.values())
    return Receipt(len(inserted) - ignored, delivered - len(inserted), ignored)


def _switched(
    channel: Channel,
    addresses: Collection[str],
    contacts: Mapping[str, KnownContact],
    rules: tuple[Rule, ...],
) -> dict[str, Verdict]:
    """What a switch over intake makes of each one's messages, by address. Raises `IntakePausedError`."""
    verdicts = {}
    for address in addresses if rules else ():
        who = contacts.get(address)
        subject = subject_at(channel, who.conversation_id, who.id) if who else subject_at(channel)
        rule = strictest(rules, subject, Capability.INTAKE)
        if rule is not None:
            verdicts[address] = _verdict(rule.action, channel)
    return verdicts


def _verdict(action: SwitchAction, channel: Channel) -> Verdict:
    if action is SwitchAction.PAUSE:
        raise IntakePausedError
    if action is SwitchAction.DEGRADE:
        return admission.overloaded(channel, Code.SWITCH_DEGRADED)
    return Verdict(Outcome.SILENCED, Code.SWITCH_STOPPED, channel.agent.refusal_reply)


def _row(copies: Copies, conversation_id: int | None, ended: Mapping[int, Verdict]) -> Row:
    """What is neither ignored nor ended at the door waits for its turn."""
    ignored_code = copies.first.ignored_code
    if ignored_code:
        return Row(copies, None, Outcome.IGNORED, ignored_code)
    if conversation_id is not None and conversation_id in ended:
        return Row(copies, conversation_id, ended[conversation_id].outcome, ended[conversation_id].code)
    return Row(copies, conversation_id)


def _wake(channel: Channel, conversation_ids: Collection[int]) -> None:
    """The mailboxes due and locked: so events of one conversation come in one order."""
    if conversation_ids:
        mailbox.wake(conversation_ids, burst_window_s=channel.agent.burst_window_s)
        enqueue_drain()


def _say_why(channel: Channel, ended: Mapping[int, Verdict], now: datetime) -> None:
    if ended:
        admission.say_why(channel, ended, now=now)
        mailbox.wake(ended.keys())
        enqueue_drain()


def _bounded(event: InboundEvent) -> InboundEvent:
    """Ids and addresses are the sender's to choose: one too long to store is replaced or refused, never cut."""
    if len(event.address) > MAX_ADDRESS_LENGTH:
        event = _ignore(event, Code.EVENT_NO_SENDER)
    return replace(
        event,
        dedupe_key=_short(event.dedupe_key),
        payload={**event.payload, "provider_id": _short(event.payload["provider_id"])},
        contact_name=event.contact_name[:MAX_NAME_LENGTH],
    )


def _short(platform_id: str) -> str:
    if len(platform_id) <= MAX_ID_LENGTH:
        return platform_id
    return "sha256:" + hashlib.sha256(platform_id.encode()).hexdigest()
