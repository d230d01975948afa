"""Walking the chain: is every entry what it was when it was sealed, is each there, and none besides?

One pass in windows, so that memory does not grow with the trail. What is wrong in one place is told of that place only:
the walk goes on with the hash that the chain itself confirms.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.db.models import Count, Max, Min, QuerySet

from audit.canonical import GENESIS, chained, instant
from audit.models import AuditEntry, Seal
from audit.sealing import SEALED_WITHIN, Head, head

WINDOW = 2_000
MOST = 100
"""Findings that are told; a trail with more is not worth counting on."""


class Kind(StrEnum):
    ALTERED = "altered"
    MISSING = "missing"
    INSERTED = "inserted"
    SEAL_ALTERED = "seal_altered"
    SEAL_MISSING = "seal_missing"
    HEAD_LOST = "head_lost"
    UNSEALED = "unsealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`sequence`: the place in the chain; of an inserted entry, the place after which it stands."""

    kind: Kind
    detail: str
    sequence: int | None = None
    entry_id: int | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """`findings` stand in the order of the chain. `seconds`: what it took."""

    head: Head
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_intact(self) -> bool:
        return not self.findings

    @property
    def rate(self) -> float:
        """Entries a second."""
        return self.checked / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class _Link:
    seal: Seal
    entry: AuditEntry | None

    def hash_after(self, previous: str) -> str | None:
        """What its hash has to be; None where its entry is gone."""
        if self.entry is None:
            return None
        seal = self.seal
        return chained(self.entry, previous=previous, sequence=seal.sequence, sealed_at=seal.sealed_at)


@dataclass(frozen=True, slots=True)
class _Gap:
    """Places without a seal, and the entries between which their entries stood."""

    first: int
    last: int
    after_entry: int
    before_entry: int


def verify(*, now: datetime, since: int = 1, anchors: Iterable[Head] = ()) -> Report:
    """Check the chain from place `since` on (the seal before it is taken as it is), and that it holds `anchors`."""
    began = time.monotonic()
    walk = _Walk(head=head(), since=since)
    found = [*walk.findings(), *_strays(walk), *_lost(anchors), *_unsealed(walk.head, now)]
    found.sort(key=lambda finding: (finding.sequence is None, finding.sequence or 0))
    return Report(
        head=walk.head, checked=walk.checked, findings=found[:MOST], seconds=time.monotonic() - began
    )


class _Walk:
    """`checked` and `gaps` are complete once `findings` are read."""

    def __init__(self, *, head: Head, since: int) -> None:
        self.head = head
        self.since = since
        self.checked = 0
        self.gaps: list[_Gap] = []
        self.start_entry = 0
        self._previous: str | None = GENESIS

    def findings(self) -> Iterator[Finding]:
        sequence, entry_id = self.since, self._begin()
        links = _links(self.since, self.head.sequence)
        link = next(links, None)
        while link is not None:
            following = next(links, None)
            if link.seal.sequence > sequence:
                yield self._gap(sequence, entry_id, link.seal)
            self.checked += 1
            finding = self._judge(link, following, entry_id)
            if finding:
                yield finding
            sequence = link.seal.sequence + 1
            if finding is None or finding.kind != Kind.SEAL_ALTERED:
                entry_id = link.seal.entry_id
            link = following

    def _begin(self) -> int:
        """The entry before the first that is checked."""
        before = Seal.objects.filter(sequence=self.since - 1).first()
        if before is not None:
            self._previous, self.start_entry = before.hash, before.entry_id
        elif self.since > 1:
            self._previous = None
        return self.start_entry

    def _gap(self, sequence: int, entry_id: int, seal: Seal) -> Finding:
        gap = _Gap(sequence, seal.sequence - 1, entry_id, seal.entry_id)
        self.gaps.append(gap)
        self._previous = None
        left = _unsealed_between(gap.after_entry, gap.before_entry).values_list("pk", flat=True)[:1]
        entry = next(iter(left), None)
        there = "its entry is still there" if entry else "so is its entry"
        detail = (
            f"the seals {gap.first} to {gap.last} are gone" if gap.last > gap.first else "the seal is gone"
        )
        return Finding(kind=Kind.SEAL_MISSING, sequence=sequence, entry_id=entry, detail=f"{detail}, {there}")

    def _judge(self, link: _Link, following: _Link | None, last_entry: int) -> Finding | None:
        """What is wrong with the link; then `_previous` is what the next one stands on."""
        seal, previous = link.seal, self._previous
        self._previous = seal.hash
        if previous is None and link.entry is not None:
            return None  # what stood before is lost; the next link shows whether this one holds
        right = link.hash_after(previous or "")
        if right == seal.hash:
            return None
        if not _is_in_place(link, following, last_entry):
            after = following.seal.entry_id if following else seal.entry_id
            self.gaps.append(_Gap(seal.sequence, seal.sequence, last_entry, after))
            return _finding(link, Kind.SEAL_ALTERED, "the seal names an entry of another place")
        if right is None:
            return _finding(link, Kind.MISSING, "the sealed entry is gone")
        return self._mismatch(link, following, right)

    def _mismatch(self, link: _Link, following: _Link | None, right: str) -> Finding:
        """The next link tells which of the two was altered: it stands on the hash as it was."""
        if following is None:
            detail = "entry and seal do not fit; no later seal tells which of them was altered"
            return _finding(link, Kind.ALTERED, detail)
        if following.hash_after(right) == following.seal.hash:
            self._previous = right
            return _finding(link, Kind.SEAL_ALTERED, "the hash of the seal was altered, the entry was not")
        if following.hash_after(link.seal.hash) == following.seal.hash:
            return _finding(link, Kind.ALTERED, "the entry, or the time of its seal, is not what was sealed")
        return _finding(link, Kind.ALTERED, "entry and seal do not fit, and neither does what follows")


def _is_in_place(link: _Link, following: _Link | None, last_entry: int) -> bool:
    """The chain follows the ids of its entries."""
    entry_id = link.seal.entry_id
    return last_entry < entry_id and (following is None or entry_id < following.seal.entry_id)


def _finding(link: _Link, kind: Kind, detail: str) -> Finding:
    return Finding(kind=kind, sequence=link.seal.sequence, entry_id=link.seal.entry_id, detail=detail)


def _links(since: int, until: int) -> Iterator[_Link]:
    """In the order of the chain, a window at a time."""
    last = since - 1
    while seals := list(
        Seal.objects.filter(sequence__gt=last, sequence__lte=until).order_by("sequence")[:WINDOW]
    ):
        entries = AuditEntry.objects.in_bulk([seal.entry_id for seal in seals])
        for seal in seals:
            yield _Link(seal, entries.get(seal.entry_id))
        last = seals[-1].sequence


def _strays(walk: _Walk) -> list[Finding]:
    """Entries in the sealed stretch that no seal names, unless a seal was found missing there."""
    strays = _unsealed_between(walk.start_entry, walk.head.entry_id).values_list("pk", flat=True)[:MOST]
    return [_inserted(pk) for pk in strays if not _is_explained(pk, walk.gaps)]


def _unsealed_between(after: int, before: int) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(seal__isnull=True, pk__gt=after, pk__lt=before).order_by("pk")


def _is_explained(entry_id: int, gaps: Sequence[_Gap]) -> bool:
    return any(gap.after_entry < entry_id < gap.before_entry for gap in gaps)


def _inserted(entry_id: int) -> Finding:
    below = Seal.objects.filter(entry_id__lt=entry_id).aggregate(place=Max("sequence"))["place"]
    detail = "the entry was put in after the entries around it were sealed"
    return Finding(kind=Kind.INSERTED, sequence=below or 0, entry_id=entry_id, detail=detail)


def _lost(anchors: Iterable[Head]) -> Iterator[Finding]:
    """Exported heads that the chain does not hold any more."""
    for anchor in anchors:
        seal = Seal.objects.filter(sequence=anchor.sequence).first()
        if seal is None:
            detail = f"the chain was cut: it ends before the exported head {anchor.hash[:12]}"
        elif seal.hash != anchor.hash:
            detail = f"the chain was written anew: here stood the exported head {anchor.hash[:12]}"
        else:
            continue
        yield Finding(kind=Kind.HEAD_LOST, sequence=anchor.sequence, detail=detail)


def _unsealed(newest: Head, now: datetime) -> Iterator[Finding]:
    """What has waited for its seal longer than it may."""
    late = AuditEntry.objects.filter(
        pk__gt=newest.entry_id, at__lt=now - SEALED_WITHIN, seal__isnull=True
    ).aggregate(number=Count("pk"), first=Min("pk"), at=Min("at"))
    if late["number"]:
        detail = f"{late['number']} entries wait for their seal, the oldest since {instant(late['at'])}"
        yield Finding(kind=Kind.UNSEALED, entry_id=late["first"], detail=detail)


def describe(newest: Head) -> str:
    """A head as one line, to be kept where nobody who writes the database can reach it."""
    at = instant(newest.sealed_at) if newest.sealed_at else "-"
    return f"{newest.sequence} {newest.hash} {at}"


def anchor(line: str) -> Head:
    """A head from its line. Raises `ValueError`."""
    sequence, hash_, *_ = line.split()
    if len(hash_) != len(GENESIS):
        raise ValueError(f"{hash_!r} is no hash of the chain")
    return Head(sequence=int(sequence), hash=hash_)
