"""The person, the thread with them, and its stretches."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversations.models.agent import Channel, Tenant


class Contact(models.Model):
    """A person as one channel knows them. `address` is opaque: a phone number, or an id where there is none."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="contacts", verbose_name=_("tenant"))
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="contacts", verbose_name=_("channel"))
    address = models.CharField(_("address"), max_length=128)
    name = models.CharField(_("name"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["channel", "address"], name="contact_address_once_a_channel"),
        )

    def __str__(self) -> str:
        return self.name or self.address


class Owner(models.TextChoices):
    """`phone`: somebody answers by hand on the phone itself, until `owned_until`; nobody knows who."""

    AGENT = "agent", _("agent")
    PERSON = "person", _("person")
    PHONE = "phone", _("phone")


class Conversation(models.Model):
    """The thread with one contact. `owner_epoch` goes up with every change of owner and fences sends."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="conversations", verbose_name=_("tenant"))
    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="conversations", verbose_name=_("channel")
    )
    contact = models.OneToOneField(
        Contact, models.PROTECT, related_name="conversation", verbose_name=_("contact")
    )
    owner_kind = models.CharField(_("owner kind"), max_length=10, choices=Owner, default=Owner.AGENT)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    owner_epoch = models.PositiveIntegerField(_("owner epoch"), default=0)
    owned_since = models.DateTimeField(_("owned since"), null=True, blank=True)
    owner_active_at = models.DateTimeField(
        _("owner active at"), null=True, blank=True, help_text=_("When the owner last did something here.")
    )
    owned_until = models.DateTimeField(
        _("owned until"), null=True, blank=True, help_text=_("When the agent answers again by itself.")
    )
    others_asked_at = models.DateTimeField(
        _("others asked at"),
        null=True,
        blank=True,
        help_text=_("Since when somebody else is asked to take over, as the owner has fallen silent."),
    )
    created_at = models.DateTimeField(_("created at"))
    last_message_at = models.DateTimeField(_("last message at"))

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ("-last_message_at", "-id")
        indexes = (
            models.Index(fields=["-last_message_at", "-id"], name="conversation_recent"),
            models.Index(
                fields=["owner_active_at"], name="conversation_owned", condition=~models.Q(owner_kind="agent")
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    owner_kind=Owner.AGENT,
                    owner__isnull=True,
                    owned_since__isnull=True,
                    owner_active_at__isnull=True,
                    owned_until__isnull=True,
                )
                | models.Q(
                    owner_kind=Owner.PERSON,
                    owner__isnull=False,
                    owned_since__isnull=False,
                    owner_active_at__isnull=False,
                    owned_until__isnull=True,
                )
                | models.Q(
                    owner_kind=Owner.PHONE,
                    owner__isnull=True,
                    owned_since__isnull=False,
                    owner_active_at__isnull=False,
                    owned_until__isnull=False,
                ),
                name="conversation_owner_is_named",
            ),
        )
        permissions = (("take_over_conversation", _("Can take conversations over and answer in them")),)

    def __str__(self) -> str:
        return str(self.contact)


class EndReason(models.TextChoices):
    IDLE = "idle", _("idle")
    RESET = "reset", _("reset by the contact")
    OPERATOR = "operator", _("closed by staff")
    POLICY = "policy", _("contact blocked")


class SummaryStatus(models.TextChoices):
    """`pending` is retried by housekeeping while the model is down; closing a session never waits for it."""

    NONE = "none", _("none")
    PENDING = "pending", _("pending")
    WRITTEN = "written", _("written")
    FAILED = "failed", _("failed")


class Session(models.Model):
    """A stretch of a conversation: what the model remembers word by word."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="sessions", verbose_name=_("conversation")
    )
    started_at = models.DateTimeField(_("started at"))
    last_activity_at = models.DateTimeField(_("last activity at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    end_reason = models.CharField(_("end reason"), max_length=10, choices=EndReason, blank=True)
    summary = models.TextField(_("summary"), blank=True)
    summary_status = models.CharField(
        _("summary status"), max_length=10, choices=SummaryStatus, default=SummaryStatus.NONE
    )
    turn_count = models.PositiveIntegerField(_("turns"), default=0)
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), default=0)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=["last_activity_at"], name="session_open", condition=models.Q(ended_at__isnull=True)
            ),
            models.Index(
                fields=["id"], name="session_to_summarise", condition=models.Q(summary_status="pending")
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(ended_at__isnull=True),
                name="session_one_open_a_conversation",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, end_reason="")
                | (models.Q(ended_at__isnull=False) & ~models.Q(end_reason="")),
                name="session_end_has_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk}"
