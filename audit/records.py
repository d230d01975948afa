"""From evidence to the records it speaks of, while they exist.

This app knows no other: each says in its AppConfig which model an object type stands for, as in
`audited = {"turn": "Turn"}`, or `{"account": "auth.User"}` where the model is another's.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from simple_history.models import DeletedObject

from audit.models import AuditEntry
from audit.staff.show import address

ADDED, DELETED = "+", "-"
"""How simple-history marks the rows of a record's beginning and end."""
RECORDS = (Model, DeletedObject)
EMPTY: tuple[Any, ...] = (None, "", [], {})
HISTORY_ID = "history_id"
"""The detail of an entry that names the historical row of the change it tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`before` and `after` as people read them; None where there is nothing."""

    label: str
    before: Any
    after: Any

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Of texts with several lines: each line, marked '-' (before), '+' (after) or ' ' (both). Else none."""
        texts = (self.before, self.after)
        if not all(isinstance(text, str) for text in texts) or not any("\n" in text for text in texts):
            return []
        before, after = (text.splitlines() for text in texts)
        return [(line[0], line[2:]) for line in difflib.ndiff(before, after) if line[0] != "?"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A record as it was. `changes`: from the version before it; None when that is no longer kept.

    Of the first, all that it began with; of a deletion, all that went.
    """

    number: int
    address: str
    changes: list[Change] | None


def audited() -> Mapping[str, type[Model]]:
    """The model of each object type."""
    return {
        object_type: apps.get_model(name) if "." in name else config.get_model(name)
        for config in apps.get_app_configs()
        for object_type, name in getattr(config, "audited", {}).items()
    }


def object_type_of(model: type[Model]) -> str:
    """What the trail calls records of the model. Raises `LookupError` where it does not speak of them."""
    for object_type, audited_model in audited().items():
        if audited_model is model:
            return object_type
    raise LookupError(f"{model._meta.label} is in no AppConfig's `audited`.")


def record_address(object_type: str, object_id: str) -> str:
    """Where the record's page is; empty when it is gone or has none."""
    model = audited().get(object_type)
    try:
        record = model._default_manager.filter(pk=object_id).only("pk").first() if model else None
        return address(record) if record else ""
    except (ValueError, ValidationError, NoReverseMatch):  # an id of another time or form
        return ""


def newest_version(record: Any) -> dict[str, int]:
    """For the details of an entry: which historical row tells of the change. Ask after the record is saved."""
    number = record.history.values_list("history_id", flat=True).first()
    return {HISTORY_ID: number} if number else {}


def version(entry: AuditEntry) -> Version | None:
    """The historical row of the change that the entry tells of."""
    model: Any = audited().get(entry.object_type)
    number = entry.details.get(HISTORY_ID)
    row = model.history.filter(history_id=number).first() if number and hasattr(model, "history") else None
    if row is None:
        return None
    return Version(number=row.history_id, address=_version_address(model, row), changes=_changes(row))


def _changes(row: Any) -> list[Change] | None:
    if row.history_type == ADDED:
        return [Change(label=label, before=None, after=value) for label, value in _whole(row)]
    if row.history_type == DELETED:
        return [Change(label=label, before=value, after=None) for label, value in _whole(row)]
    earlier = row.prev_record
    return differences(earlier, row) if earlier else None


def _whole(row: Any) -> Iterator[tuple[str, Any]]:
    """Label and value of all fields that are not empty."""
    for field in row.tracked_fields:
        value = _told(_value(row, field)) if field.editable else None
        if value is not None:
            yield _label(row, field.name), value


def _value(row: Any, field: Any) -> Any:
    try:
        return getattr(row, field.name)
    except ObjectDoesNotExist:  # it names a record that is gone
        return getattr(row, field.attname)


def differences(earlier: Any, later: Any) -> list[Change]:
    """What was changed between two historical rows of one record."""
    return [
        Change(label=_label(later, change.field), before=_told(change.old), after=_told(change.new))
        for change in later.diff_against(earlier, foreign_keys_are_objs=True).changes
    ]


def _told(value: Any) -> Any:
    """As people call it: a record by its name; several records, which come as the rows that tie them, by theirs."""
    if isinstance(value, RECORDS):
        return str(value)
    if isinstance(value, list):
        ties = [list(row.values()) for row in value if isinstance(row, dict)]
        if any(isinstance(tie[-1], RECORDS) for tie in ties if tie):
            return ", ".join(str(tie[-1]) for tie in ties)
        if all(isinstance(item, str) for item in value):
            return ", ".join(value) or None
    if value in EMPTY:
        return None
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, list | dict) else value


def _label(row: Any, name: str) -> str:
    return str(row.instance_type._meta.get_field(name).verbose_name)


def _version_address(model: Any, row: Any) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_simple_history"
    try:
        return reverse(name, args=[getattr(row, model._meta.pk.attname), row.history_id])
    except NoReverseMatch:
        return ""
