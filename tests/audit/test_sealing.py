"""The chain grows in the order of the entries, without a gap, whoever writes and commits meanwhile."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone as django_timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import sealing
from audit.canonical import FIELDS, GENESIS, canonical, chained, content
from audit.models import AuditEntry, Seal
from audit.operations import Fact, record, record_all
from audit.verification import verify
from tests.audit.chain import NOW, check, facts, findings, sealed, sql, triggers_off, write

WAIT_S = 10.0


def in_threads(*works: Callable[[], object]) -> list[Any]:
    """Run each on a connection of its own."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(60) for future in [pool.submit(_closing, work) for work in works]]


def _closing(work: Callable[[], object]) -> object:
    try:
        return work()
    finally:
        connection.close()


@pytest.mark.django_db
class TestOneSealer:
    def test_seals_follow_the_entries(self) -> None:
        ids = sealed(3)

        seals = Seal.objects.order_by("sequence")
        assert [(seal.sequence, seal.entry_id) for seal in seals] == [(1, ids[0]), (2, ids[1]), (3, ids[2])]

    def test_nothing_new_seals_nothing(self) -> None:
        assert sealing.seal(now=NOW) == 0
        sealed(3)
        assert sealing.seal(now=NOW) == 0

    def test_many_entries_are_sealed_in_bounded_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "BATCH", 4)
        monkeypatch.setattr(sealing, "BATCHES", 2)
        write(11)

        assert [sealing.seal(now=NOW) for _ in range(3)] == [8, 3, 0]
        assert check().checked == 11
        assert check().is_intact

    def test_it_is_due_when_something_waits_and_the_last_time_is_a_while_ago(self) -> None:
        assert not sealing.is_due(now=NOW)
        sealed(1)
        assert not sealing.is_due(now=NOW + sealing.EVERY)
        write(1)
        assert not sealing.is_due(now=NOW + sealing.EVERY / 2)
        assert sealing.is_due(now=NOW + sealing.EVERY)

    def test_the_documented_form_is_what_is_hashed(self) -> None:
        """Written out by hand: whoever changes the form breaks every chain there is."""
        entry = AuditEntry(
            id=7,
            at=datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=-3))),
            actor_kind="person",
            actor="josé",
            action="event.requeued",
            object_type="event",
            object_id="12",
            details={"b": 1, "a": None},
        )
        text = (
            '{"entry":{"action":"event.requeued","actor":"josé","actor_kind":"person",'
            '"at":"2026-03-01T12:30:00.000000+00:00",'
            '"details":{"a":null,"b":1},"id":7,"object_id":"12","object_type":"event"},"previous":"'
            + GENESIS
            + '",'
            '"sealed_at":"2026-11-01T12:00:00.000000+00:00","sequence":1}'
        )
        link = json.loads(text)

        assert canonical(link) == text.encode()
        assert content(entry) == link["entry"]
        expected = hashlib.sha256(text.encode()).hexdigest()
        assert chained(entry, previous=GENESIS, sequence=1, sealed_at=NOW) == expected

    def test_every_column_is_sealed(self) -> None:
        assert set(FIELDS) == {field.attname for field in AuditEntry._meta.concrete_fields}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcé"), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    details=st.lists(st.dictionaries(st.sampled_from(["x", "y"]), JSON), min_size=2, max_size=6),
    data=st.data(),
)
def test_whatever_the_entries_say_the_chain_holds_until_one_is_changed(
    details: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Also: what PostgreSQL gives back of JSON and times hashes as what went in."""
    with transaction.atomic():
        record_all([facts(1, details=each)[0] for each in details], now=NOW)
        sealing.seal(now=NOW)
        assert findings() == []
        victim = data.draw(st.sampled_from(list(AuditEntry.objects.values_list("id", flat=True))))
        place = Seal.objects.get(entry_id=victim).sequence
        with triggers_off():
            sql("UPDATE audit_auditentry SET details = details || '{\"z\": 0}' WHERE id = %s", victim)
        assert findings() == [("altered", place, victim)]
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
class TestManyWriters:
    def test_an_entry_waits_for_one_before_it_that_is_not_committed_yet(self) -> None:
        begun, may_commit = threading.Event(), threading.Event()

        def slow_writer() -> None:
            with transaction.atomic():
                write(1)
                begun.set()
                assert may_commit.wait(WAIT_S)

        def sealer() -> list[int]:
            begun.wait(WAIT_S)
            write(1)  # a later id, committed before the earlier one
            impatient = sealing.seal(now=NOW, patience_s=0.05)
            may_commit.set()
            return [impatient, sealing.seal(now=NOW, patience_s=WAIT_S)]

        assert in_threads(slow_writer, sealer)[1] == [0, 2]
        assert list(Seal.objects.order_by("sequence").values_list("entry_id", flat=True)) == list(
            AuditEntry.objects.order_by("id").values_list("id", flat=True)
        )

    def test_a_writer_that_begins_later_holds_up_nobody(self) -> None:
        write(1)
        begun, done = threading.Event(), threading.Event()

        def endless_writers() -> None:
            """There is always one at it, never the same for long."""
            while not done.is_set():
                with transaction.atomic():
                    write(1)
                    begun.set()
                    done.wait(0.05)

        def sealer() -> int:
            try:
                begun.wait(WAIT_S)
                return sealing.seal(now=NOW, patience_s=WAIT_S)
            finally:
                done.set()

        assert in_threads(endless_writers, endless_writers, sealer)[2] >= 1

    def test_a_reader_and_a_rolled_back_writer_hold_up_nobody(self) -> None:
        read, done = threading.Event(), threading.Event()
        write(1)
        with transaction.atomic():
            write(3)
            transaction.set_rollback(True)
        write(1)

        def reader() -> None:
            with transaction.atomic():
                list(AuditEntry.objects.all())
                read.set()
                done.wait(WAIT_S)

        def sealer() -> int:
            read.wait(WAIT_S)
            number = sealing.seal(now=NOW, patience_s=0)
            done.set()
            return number

        assert in_threads(reader, sealer)[1] == 2
        assert findings() == []

    def test_commits_out_of_order_leave_a_chain_without_a_gap(self) -> None:
        """Six writers, some of which roll back, and two sealers, all at once."""
        written: list[int] = []
        writing = threading.Event()
        writing.set()

        def writer(seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(25):
                with transaction.atomic():
                    number = chance.randint(1, 3)
                    record_all(facts(number), now=django_timezone.now())
                    threading.Event().wait(chance.random() / 50)
                    if chance.random() < 0.2:
                        transaction.set_rollback(True)
                        number = 0
                written.append(number)

        def sealer() -> None:
            while writing.is_set():
                sealing.seal(now=django_timezone.now(), patience_s=1)

        def all_writers() -> None:
            try:
                in_threads(*[lambda seed=seed: writer(seed) for seed in range(6)])
            finally:
                writing.clear()

        in_threads(all_writers, sealer, sealer)
        sealing.seal(now=django_timezone.now())

        number = sum(written)
        ids = list(AuditEntry.objects.order_by("id").values_list("id", flat=True))
        chain = list(Seal.objects.order_by("sequence").values_list("sequence", "entry_id"))
        assert chain == list(zip(range(1, number + 1), ids, strict=True))
        assert verify(now=datetime.now(UTC)).is_intact

    def test_two_sealers_make_one_chain(self) -> None:
        write(50)

        assert sum(in_threads(*[lambda: sealing.seal(now=NOW)] * 3)) == 50
        assert findings() == []

    def test_writing_evidence_does_not_wait_for_the_sealer(self) -> None:
        write(5)
        with transaction.atomic():
            sealing.seal(now=NOW)  # and holds what it holds until the end

            def writer() -> None:
                sql("SET lock_timeout = '2s'")
                record(Fact(action="a.b", object_type="a", object_id=1), now=NOW)

            in_threads(writer)
        assert AuditEntry.objects.count() == 6
