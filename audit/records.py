"""From evidence to the records it speaks of, while they exist.

This app knows no other: each says in its AppConfig which model an object type stands for, as in
`audited = {"turn": "Turn"}`, or `{"account": "auth.User"}` where the model is another's.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.urls import NoReverseMatch, reverse

from audit.models import AuditEntry
from audit.staff.show import address

HISTORY_ID = "history_id"
"""The detail of an entry that names the historical row of the change it tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`before` and `after` as JSON would say them."""

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
    """A record as it was. `changes`: from the version before it; None when it is the first."""

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
    earlier = row.prev_record
    changes = differences(earlier, row) if earlier else None
    return Version(number=row.history_id, address=_version_address(model, row), changes=changes)


def differences(earlier: Any, later: Any) -> list[Change]:
    """What was changed between two historical rows of one record."""
    return [
        Change(label=_label(later, change.field), before=change.old, after=change.new)
        for change in later.diff_against(earlier).changes
    ]


def _label(row: Any, name: str) -> str:
    return str(row.instance_type._meta.get_field(name).verbose_name)


def _version_address(model: Any, row: Any) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_simple_history"
    try:
        return reverse(name, args=[getattr(row, model._meta.pk.attname), row.history_id])
    except NoReverseMatch:
        return ""
