"""Changing who answers, for whom and through which door. Each change leaves its audit entry in its own transaction."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import PROTECT, Field
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from audit import operations as audit
from audit.models import ActorKind
from audit.records import HISTORY_ID, newest_version
from conversations.fields import EncryptedJSONField, UndecryptableError
from conversations.models import Agent, CannedReply, Channel, Tenant

Configuration = Tenant | Agent | Channel | CannedReply


class InUseError(Exception):
    """The text says what still points at the record, and what to do instead of deleting it."""


@transaction.atomic
def save_configuration(record: Configuration, *, by: User, now: datetime) -> tuple[str, ...]:
    """Store what differs from what is stored, if anything. Returns the names of the fields that changed.

    Only fields that people edit: what the engine keeps on the row (such as a channel's pause) is left as it is.
    """
    is_new = record._state.adding
    changed = () if is_new else _changed_fields(record)
    if is_new or changed:
        record._history_user = by  # type: ignore[union-attr]  # simple-history reads it from here
        record.save(update_fields=None if is_new else {name.split(".")[0] for name in changed})
        _record(record, "added" if is_new else "changed", fields=changed, by=by, now=now)
    return changed


@transaction.atomic
def delete_configuration(records: Iterable[Configuration], *, by: User, now: datetime) -> None:
    """Delete all of the records, or none. Raises `InUseError`."""
    for record in records:
        refusal = refuse_deletion(record)
        if refusal:
            raise InUseError(refusal)
        key = record.pk
        record._history_user = by  # type: ignore[union-attr]  # simple-history reads it from here
        record.delete()
        record.pk = key  # the evidence names it, and the historical row of its deletion
        _record(record, "deleted", fields=(), by=by, now=now)


def refuse_deletion(record: Configuration) -> str:
    """Why the record may not be deleted, in a sentence; empty when it may."""
    users = get_text_list([str(name) for name in _used_by(record)], _("and"))
    if not users:
        return ""
    name = {"kind": record._meta.verbose_name, "record": record, "users": users}
    if isinstance(record, Channel):
        return (
            _("The %(kind)s %(record)s cannot be deleted: %(users)s belong to it. Switch it off instead.")
            % name
        )
    return _("The %(kind)s %(record)s cannot be deleted: %(users)s belong to it.") % name


def _used_by(record: Configuration) -> Iterator[Any]:
    """Asks one row of each table, so that a channel with a million messages is answered at once."""
    for relation in record._meta.related_objects:
        if relation.on_delete is PROTECT:
            pointing = relation.related_model._base_manager.filter(**{relation.field.name: record.pk})
            if pointing.exists():
                yield relation.related_model._meta.verbose_name_plural


def _changed_fields(record: Configuration) -> tuple[str, ...]:
    unread = record.get_deferred_fields()
    loaded = [f for f in record._meta.concrete_fields if f.editable and f.attname not in unread]
    secrets = [field.attname for field in loaded if isinstance(field, EncryptedJSONField)]
    rows = type(record)._default_manager.select_for_update().defer(*secrets)
    stored = rows.get(pk=record.pk)
    return tuple(name for field in loaded for name in _differences(field, stored, record))


def _differences(field: Field[Any, Any], stored: Configuration, record: Configuration) -> Iterator[str]:
    """Names only: of a secret, which of its keys changed, never what it was or is."""
    new = getattr(record, field.attname)
    if isinstance(field, EncryptedJSONField):
        old = _readable(stored, field.attname)
        yield from (f"{field.name}.{key}" for key in sorted(old | new) if old.get(key) != new.get(key))
    elif getattr(stored, field.attname) != new:
        yield field.name


def _readable(stored: Configuration, attname: str) -> dict[str, Any]:
    """The stored secrets; none of them when they were encrypted with a key that is gone."""
    try:
        return dict(getattr(stored, attname))
    except UndecryptableError:
        return {}


def _record(record: Configuration, verb: str, *, fields: tuple[str, ...], by: User, now: datetime) -> None:
    kind = str(record._meta.model_name)
    version = newest_version(record)
    audit.record(
        audit.Fact(
            action=f"{kind}.{verb}",
            object_type=kind,
            object_id=record.pk,
            actor_kind=ActorKind.PERSON,
            actor=by.get_username(),
            policy_version=version.get(HISTORY_ID, "") if isinstance(record, Agent) else "",
            details=({"fields": list(fields)} if fields else {}) | version,
            ids={"tenant_id": (record.pk if isinstance(record, Tenant) else record.tenant_id) or ""},
        ),
        now=now,
    )
