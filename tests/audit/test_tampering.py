"""Who writes to the tables past the application is refused; who owns them can, and `audit_verify` names the row."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from audit import sealing
from audit.models import AppendOnlyError, AuditEntry, Seal
from audit.verification import describe, verify
from tests.audit.chain import NOW, check, findings, sealed, sql, triggers_off, write

pytestmark = pytest.mark.django_db

REFUSED = [
    "UPDATE audit_auditentry SET reason = 'other'",
    "DELETE FROM audit_auditentry",
    "UPDATE audit_seal SET sealed_at = now()",
    "DELETE FROM audit_seal",
]


def is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_the_database_refuses_every_change_to_a_superuser_too(statement: str, role: str) -> None:
    sealed(1)
    assert is_superuser()
    sql(f"SET LOCAL session_replication_role = {role}")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql(statement)


@pytest.mark.parametrize("table", ["audit_auditentry", "audit_seal"])
def test_the_database_refuses_to_empty_the_tables(table: str) -> None:
    sql("ALTER TABLE audit_auditentry ENABLE ALWAYS TRIGGER audit_entry_no_truncate")  # off for all tests
    sql("ALTER TABLE audit_seal ENABLE ALWAYS TRIGGER audit_seal_no_truncate")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql(f"TRUNCATE {table}")


@pytest.mark.parametrize("model", [AuditEntry, Seal])
def test_the_querysets_refuse_every_change(model: type[AuditEntry] | type[Seal]) -> None:
    with pytest.raises(AppendOnlyError):
        model.objects.all().delete()
    with pytest.raises(AppendOnlyError):
        model.objects.all().update()


def test_a_saved_record_cannot_be_saved_again_or_deleted() -> None:
    sealed(1)
    for record in (AuditEntry.objects.get(), Seal.objects.get()):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            record.save()
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            record.delete()


@pytest.mark.parametrize(("sequence", "hash_"), [(0, "0" * 64), (2, "0" * 63), (2, "G" * 64), (1, "0" * 64)])
def test_the_database_refuses_what_is_no_seal(sequence: int, hash_: str) -> None:
    sealed(1)
    (entry_id,) = write(1)

    with pytest.raises(IntegrityError), transaction.atomic():
        Seal.objects.bulk_create([Seal(sequence=sequence, entry_id=entry_id, hash=hash_, sealed_at=NOW)])


def test_an_untouched_trail_is_intact() -> None:
    sealed(25)

    assert check().is_intact
    assert check().checked == 25


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'another'",
        "actor = 'bob'",
        "at = at + interval '1 microsecond'",
        'details = \'{"n": 1, "m": 2}\'',
        "turn_id = 'x'",
    ],
)
def test_an_altered_entry_is_named(change: str) -> None:
    ids = sealed(5)

    with triggers_off():
        sql(f"UPDATE audit_auditentry SET {change} WHERE id = %s", ids[2])  # noqa: S608 - ours

    assert findings() == [("altered", 3, ids[2])]


def test_a_deleted_entry_is_named() -> None:
    ids = sealed(5)

    with triggers_off():
        sql("DELETE FROM audit_auditentry WHERE id = %s", ids[1])

    assert findings() == [("missing", 2, ids[1])]


def test_an_entry_put_in_between_is_named() -> None:
    ids = sealed(5)
    sql("SELECT nextval('audit_auditentry_id_seq')")  # as a transaction that was rolled back leaves a gap
    sealed(2)
    between = ids[-1] + 1

    forge(between)
    sealing.seal(now=NOW)

    assert findings() == [("inserted", 5, between)]


def test_an_entry_put_in_before_all_others_is_named() -> None:
    sql("SELECT nextval('audit_auditentry_id_seq')")
    ids = sealed(3)

    forge(ids[0] - 1)

    assert findings() == [("inserted", 0, ids[0] - 1)]


def test_an_altered_hash_is_named_and_its_entry_is_not() -> None:
    ids = sealed(5)

    with triggers_off():
        sql("UPDATE audit_seal SET hash = repeat('a', 64) WHERE sequence = 2")

    assert findings() == [("seal_altered", 2, ids[1])]


def test_an_altered_time_of_a_seal_is_named() -> None:
    ids = sealed(5)

    with triggers_off():
        sql("UPDATE audit_seal SET sealed_at = sealed_at - interval '1 day' WHERE sequence = 4")

    assert findings() == [("altered", 4, ids[3])]


def test_a_seal_that_was_made_to_name_another_entry_is_named() -> None:
    sealed(5)

    with triggers_off():
        sql("UPDATE audit_seal SET entry_id = 999999999 WHERE sequence = 3")

    assert findings() == [("seal_altered", 3, 999999999)]


def test_a_removed_seal_is_named() -> None:
    ids = sealed(5)

    with triggers_off():
        sql("DELETE FROM audit_seal WHERE sequence = 3")

    assert findings() == [("seal_missing", 3, ids[2])]


def test_an_entry_removed_with_its_seal_is_named() -> None:
    ids = sealed(6)

    with triggers_off():
        sql("DELETE FROM audit_seal WHERE sequence in (3, 4)")
        sql("DELETE FROM audit_auditentry WHERE id in (%s, %s)", ids[2], ids[3])

    assert findings() == [("seal_missing", 3, None)]
    assert "3 to 4" in check().findings[0].detail


def test_the_beginning_cut_off_is_named() -> None:
    ids = sealed(5)

    with triggers_off():
        sql("DELETE FROM audit_seal WHERE sequence <= 2")
        sql("DELETE FROM audit_auditentry WHERE id <= %s", ids[1])

    assert findings() == [("seal_missing", 1, None)]


def test_a_cut_tail_is_seen_with_an_exported_head_only() -> None:
    ids = sealed(5)
    exported = sealing.head()

    with triggers_off():
        sql("DELETE FROM audit_seal WHERE sequence >= 4")
        sql("DELETE FROM audit_auditentry WHERE id >= %s", ids[3])

    assert findings() == []
    assert findings(anchors=[exported]) == [("head_lost", 5, None)]


def test_a_chain_that_was_computed_anew_is_seen_with_an_exported_head() -> None:
    sealed(5)
    exported = sealing.head()

    with triggers_off():
        sql("UPDATE audit_auditentry SET actor = 'bob'")
        sql("DELETE FROM audit_seal")
    sealing.seal(now=NOW)

    assert findings() == []
    assert findings(anchors=[exported]) == [("head_lost", 5, None)]


def test_two_entries_that_changed_places_are_named() -> None:
    ids = sealed(5)

    with triggers_off():
        for number, other in ((1, 3), (3, 1)):
            details = json.dumps({"n": other})
            sql(
                "UPDATE audit_auditentry SET object_id = %s, details = %s WHERE id = %s",
                str(other),
                details,
                ids[number],
            )

    assert findings() == [("altered", 2, ids[1]), ("altered", 4, ids[3])]


def test_an_emptied_trail_is_named_entry_by_entry() -> None:
    ids = sealed(3)

    with triggers_off():
        sql("TRUNCATE audit_auditentry")

    assert findings() == [("missing", number, id_) for number, id_ in enumerate(ids, start=1)]


def test_an_emptied_chain_is_seen_with_an_exported_head_also_once_it_was_sealed_again() -> None:
    ids = sealed(3)
    exported = sealing.head()

    with triggers_off():
        sql("TRUNCATE audit_seal")
    assert findings(anchors=[exported]) == [("head_lost", 3, None)]

    sealing.seal(now=NOW + timedelta(seconds=3))
    assert findings() == []
    assert findings(anchors=[exported]) == [("head_lost", 3, None)]
    assert AuditEntry.objects.count() == len(ids)


def test_a_trail_of_which_nothing_is_left_is_seen_with_an_exported_head() -> None:
    sealed(3)
    exported = sealing.head()

    with triggers_off():
        sql("TRUNCATE audit_auditentry, audit_seal")

    assert findings() == []
    assert findings(anchors=[exported]) == [("head_lost", 3, None)]


def test_an_entry_that_was_replaced_and_its_chain_computed_anew_is_seen_with_a_head_from_before() -> None:
    """All that comes after is right again: only what was kept elsewhere tells."""
    ids = sealed(4)
    before = sealing.head()
    sealed(2)
    after = sealing.head()

    with triggers_off():
        sql("DELETE FROM audit_seal WHERE sequence >= 4")
        sql("UPDATE audit_auditentry SET actor = 'bob' WHERE id = %s", ids[3])
    sealing.seal(now=NOW)

    assert findings() == []
    assert findings(anchors=[before, after]) == [("head_lost", 4, None), ("head_lost", 6, None)]


def test_several_changes_are_named_in_the_order_of_the_chain() -> None:
    ids = sealed(12)

    with triggers_off():
        sql("UPDATE audit_auditentry SET actor = 'bob' WHERE id = %s", ids[8])
        sql("DELETE FROM audit_auditentry WHERE id = %s", ids[3])
        sql("DELETE FROM audit_seal WHERE sequence = 6")

    assert findings() == [("missing", 4, ids[3]), ("seal_missing", 6, ids[5]), ("altered", 9, ids[8])]


def test_an_entry_that_waits_too_long_for_its_seal_is_named() -> None:
    ids = write(2)

    assert findings() == []
    (found,) = verify(now=NOW + sealing.SEALED_WITHIN * 2).findings
    assert (found.kind, found.entry_id) == ("unsealed", ids[0])


def test_a_walk_can_begin_in_the_middle() -> None:
    ids = sealed(6)
    with triggers_off():
        sql("UPDATE audit_auditentry SET actor = 'bob' WHERE id in (%s, %s)", ids[1], ids[4])

    assert findings(since=4) == [("altered", 5, ids[4])]
    assert check(since=4).checked == 3


def test_windows_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.verification.WINDOW", 2)
    monkeypatch.setattr("audit.sealing.BATCH", 3)
    ids = sealed(11)

    assert check().is_intact
    with triggers_off():
        sql("UPDATE audit_auditentry SET actor = 'bob' WHERE id = %s", ids[3])
    assert findings() == [("altered", 4, ids[3])]


def test_the_command_says_that_all_is_well_and_how_fast_it_looked() -> None:
    sealed(3)

    said = run()

    assert "3 sealed entries in" in said
    assert "The trail is intact." in said
    assert json.loads(run("--json"))["intact"] is True


def test_the_command_names_the_row_and_exits_with_1() -> None:
    ids = sealed(3)
    with triggers_off():
        sql("DELETE FROM audit_auditentry WHERE id = %s", ids[1])

    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit_verify", stdout=out)

    assert ended.value.code == 1
    assert f"MISSING at 2, entry {ids[1]}: the sealed entry is gone" in out.getvalue()
    assert "The trail is NOT intact." in out.getvalue()


def test_an_exported_head_is_compared(tmp_path: Path) -> None:
    sealed(3)
    kept = tmp_path / "heads.txt"
    kept.write_text(run("--head"))
    sealed(2)
    kept.write_text(kept.read_text() + run("--head"))

    assert "2 exported heads compared" in run("--against", str(kept))

    kept.write_text(describe(sealing.head()).replace("5 ", "9 ", 1))
    with pytest.raises(SystemExit):
        run("--against", str(kept))


def test_a_file_without_heads_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "heads.txt"
    kept.write_text("hello there")

    with pytest.raises(CommandError, match="holds no heads"):
        run("--against", str(kept))


def forge(entry_id: int) -> None:
    sql(
        "INSERT INTO audit_auditentry SELECT (jsonb_populate_record(entry, jsonb_build_object('id', %s::bigint))).*"
        " FROM audit_auditentry AS entry ORDER BY id LIMIT 1",
        entry_id,
    )


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("audit_verify", *arguments, stdout=out)
    return out.getvalue()
