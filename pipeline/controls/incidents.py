"""Incident mode: while one is open, a switch over everything needs no second person."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from pipeline.controls.errors import ConflictError, InvalidError, NotFoundError
from pipeline.controls.evidence import leave_evidence
from pipeline.controls.rights import require
from pipeline.models import Incident


@transaction.atomic
def open_incident(*, by: User, reason: str, now: datetime) -> Incident:
    """Raises `ControlError`; at most one is open at a time."""
    require(by, "add_incident", None)
    if not reason.strip():
        raise InvalidError(_("Say what has happened."))
    incident, is_new = Incident.objects.get_or_create(
        closed_at=None, defaults={"reason": reason.strip(), "opened_by": by, "opened_at": now}
    )
    if not is_new:
        raise ConflictError(_("Incident %(id)s is open already.") % {"id": incident.pk})
    leave_evidence("incident.opened", "incident", incident, by=by, reason=incident.reason, now=now)
    return incident


@transaction.atomic
def close_incident(incident_id: int, *, by: User, now: datetime, reason: str = "") -> Incident:
    """Its switches stay in force until somebody lifts them. Idempotent. Raises `ControlError`."""
    require(by, "change_incident", None)
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(_("There is no incident %(id)s.") % {"id": incident_id})
    if incident.closed_at is None:
        incident.closed_at, incident.closed_by = now, by
        incident.save()
        leave_evidence("incident.closed", "incident", incident, by=by, reason=reason, now=now)
    return incident
