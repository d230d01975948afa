"""Evidence. Rows here are written once and never changed; database triggers hold that (migrations 0002 and 0004)."""

from typing import Any, NoReturn, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit import lookups  # noqa: F401 registers what constraints say


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete evidence."""


Evidence = TypeVar("Evidence", bound=models.Model)


class AppendOnlyQuerySet(models.QuerySet[Evidence]):
    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Evidence is append-only: record a new entry instead.")

    update = _refuse
    delete = _refuse
    bulk_update = _refuse


class ActorKind(models.TextChoices):
    PERSON = "person", _("person")
    AGENT = "agent", _("agent")
    CONTACT = "contact", _("contact")
    SYSTEM = "system", _("system")


class AuditEntry(models.Model):
    """Who did what, to what, why, under which policy. Ids are text: evidence outlives the rows it speaks of."""

    at = models.DateTimeField(_("at"))
    actor_kind = models.CharField(_("actor kind"), max_length=10, choices=ActorKind)
    actor = models.CharField(_("actor"), max_length=150, blank=True)
    action = models.CharField(_("action"), max_length=64)
    object_type = models.CharField(_("object type"), max_length=64)
    object_id = models.CharField(_("object id"), max_length=64)
    reason = models.TextField(_("reason"), blank=True)
    policy_version = models.CharField(_("policy version"), max_length=64, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    tenant_id = models.CharField(_("tenant id"), max_length=64, blank=True)
    conversation_id = models.CharField(_("conversation id"), max_length=64, blank=True)
    session_id = models.CharField(_("session id"), max_length=64, blank=True)
    contact_id = models.CharField(_("contact id"), max_length=64, blank=True)
    event_id = models.CharField(_("event id"), max_length=64, blank=True)
    dedupe_key = models.CharField(_("dedupe key"), max_length=255, blank=True)
    turn_id = models.CharField(_("turn id"), max_length=64, blank=True)

    objects = AppendOnlyQuerySet["AuditEntry"].as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["at", "id"], name="audit_entry_at"),
            models.Index(fields=["object_type", "object_id"], name="audit_entry_object"),
            models.Index(fields=["conversation_id", "id"], name="audit_entry_conversation"),
            models.Index(
                fields=["tenant_id", "id"], name="audit_entry_tenant", condition=~models.Q(tenant_id="")
            ),
            models.Index(fields=["turn_id"], name="audit_entry_turn", condition=~models.Q(turn_id="")),
            models.Index(
                fields=["request_id"], name="audit_entry_request", condition=~models.Q(request_id="")
            ),
            models.Index(
                fields=["actor", "id"],
                opclasses=["varchar_pattern_ops", "int8_ops"],
                name="audit_entry_actor",
            ),
            models.Index(
                fields=["actor_kind", "id"],
                name="audit_entry_people",
                condition=models.Q(actor_kind__in=["person", "contact"]),
            ),
            models.Index(
                fields=["action", "id"],
                opclasses=["varchar_pattern_ops", "int8_ops"],
                name="audit_entry_action",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(actor_kind__one_of=ActorKind.values), name="audit_entry_actor_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class Seal(models.Model):
    """A link of the chain: that this entry stood here, in this place, with this content (`audit.canonical`)."""

    sequence = models.BigIntegerField(_("sequence"), primary_key=True)
    entry = models.OneToOneField(
        AuditEntry,
        models.DO_NOTHING,
        db_constraint=False,  # what is sealed may be found missing: that is what the seal is for
        related_name="seal",
        verbose_name=_("audit entry"),
    )
    hash = models.CharField(_("hash"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed at"))

    objects = AppendOnlyQuerySet["Seal"].as_manager()

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        ordering = ("-sequence",)
        constraints = (
            models.CheckConstraint(condition=models.Q(sequence__gte=1), name="audit_seal_sequence_from_1"),
            models.CheckConstraint(
                condition=models.Q(hash__regex=r"^[0-9a-f]{64}$"), name="audit_seal_hash_is_sha256"
            ),
        )

    def __str__(self) -> str:
        return f"{self.sequence} {self.hash[:12]}"
