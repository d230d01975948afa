"""What people steer the machine with: switches, blocklist, incidents, and keys for scripts that do the same."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from conversations.models import Agent, Channel, Contact, Conversation, Tenant


class SwitchScope(models.TextChoices):
    EVERYTHING = "everything", _("everything")
    TENANT = "tenant", _("tenant")
    CHANNEL = "channel", _("channel")
    AGENT = "agent", _("agent")
    CONVERSATION = "conversation", _("conversation")
    CONTACT = "contact", _("contact")


class Capability(models.TextChoices):
    INTAKE = "intake", _("intake")
    REPLIES = "replies", _("replies")
    OUTBOUND = "outbound", _("outbound")
    MODEL = "model", _("model")
    TOOL = "tool", _("one tool")
    VOICE_IN = "voice_in", _("voice in")
    VOICE_OUT = "voice_out", _("voice out")
    MEMORY = "memory", _("memory")


class SwitchAction(models.TextChoices):
    """`pause` keeps and waits, `degrade` takes the next rung of the ladder, `stop` refuses with the agent's text."""

    PAUSE = "pause", _("pause")
    DEGRADE = "degrade", _("degrade")
    STOP = "stop", _("stop")


class SwitchStatus(models.TextChoices):
    """`pending`: asked for, and waits for a second person."""

    PENDING = "pending", _("pending")
    ACTIVE = "active", _("active")
    ENDED = "ended", _("ended")


class Incident(models.Model):
    """While one is open, switches over everything need no second person."""

    reason = models.TextField(_("reason"))
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("opened by")
    )
    opened_at = models.DateTimeField(_("opened at"))
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("closed by"),
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                models.Value(1), condition=Q(closed_at__isnull=True), name="incident_one_open"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_by__isnull=True)
                | Q(closed_at__isnull=False, closed_by__isnull=False),
                name="incident_closed_by_somebody",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk}"


def _scoped(scope: SwitchScope, *named: str) -> Q:
    """Exactly the `named` targets are set."""
    targets = ("tenant", "channel", "agent", "conversation", "contact")
    return Q(scope=scope, **{f"{target}__isnull": target not in named for target in targets})


class Switch(models.Model):
    """A person's word that something pauses, degrades or stops, and for whom. `tenant` is that of what it names."""

    scope = models.CharField(_("scope"), max_length=12, choices=SwitchScope)
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("tenant")
    )
    channel = models.ForeignKey(
        Channel, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("channel")
    )
    agent = models.ForeignKey(
        Agent, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("agent")
    )
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("conversation")
    )
    contact = models.ForeignKey(
        Contact, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("contact")
    )
    capability = models.CharField(_("capability"), max_length=10, choices=Capability)
    tool = models.CharField(_("tool"), max_length=128, blank=True)
    action = models.CharField(_("action"), max_length=8, choices=SwitchAction)
    reason = models.TextField(_("reason"))
    status = models.CharField(_("status"), max_length=8, choices=SwitchStatus)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested at"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("approved by"),
    )
    incident = models.ForeignKey(
        Incident, models.PROTECT, null=True, blank=True, related_name="switches", verbose_name=_("incident")
    )
    active_since = models.DateTimeField(_("active since"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
        help_text=_("Nobody, where its time was up."),
    )
    end_reason = models.TextField(_("end reason"), blank=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("switch")
        verbose_name_plural = _("switches")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["status"], name="switch_in_force", condition=~Q(status="ended")),
            models.Index(fields=["requested_at"], name="switch_requested"),
        )
        constraints = (
            models.CheckConstraint(
                condition=_scoped(SwitchScope.EVERYTHING)
                | _scoped(SwitchScope.TENANT, "tenant")
                | _scoped(SwitchScope.CHANNEL, "tenant", "channel")
                | _scoped(SwitchScope.AGENT, "tenant", "agent")
                | _scoped(SwitchScope.CONVERSATION, "tenant", "conversation")
                | _scoped(SwitchScope.CONTACT, "tenant", "contact"),
                name="switch_names_what_it_is_for",
            ),
            models.CheckConstraint(
                condition=Q(capability=Capability.TOOL) & ~Q(tool="")
                | ~Q(capability=Capability.TOOL) & Q(tool=""),
                name="switch_of_a_tool_names_it",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="switch_has_reason"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("requested_by")),
                name="switch_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(status=SwitchStatus.PENDING, active_since__isnull=True, ended_at__isnull=True)
                | Q(status=SwitchStatus.ACTIVE, active_since__isnull=False, ended_at__isnull=True)
                | Q(status=SwitchStatus.ENDED, ended_at__isnull=False),
                name="switch_status_fits_its_times",
            ),
            models.CheckConstraint(
                condition=~Q(scope=SwitchScope.EVERYTHING, status=SwitchStatus.ACTIVE)
                | Q(approved_by__isnull=False)
                | Q(incident__isnull=False),
                name="switch_over_everything_has_two",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk}"


class BlocklistKind(models.TextChoices):
    ADDRESS = "address", _("address")
    PREFIX = "prefix", _("prefix")
    PATTERN = "pattern", _("pattern")


class BlocklistEntry(models.Model):
    """Contacts that no agent answers. Without a tenant, for all of them. `pattern` is a regular expression."""

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("tenant")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=BlocklistKind)
    value = models.CharField(_("value"), max_length=200)
    reason = models.TextField(_("reason"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("blocklist entry")
        verbose_name_plural = _("blocklist entries")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["kind"], name="blocklist_in_force", condition=Q(ended_at__isnull=True)),
        )
        constraints = (
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(value=""), name="blocklist_entry_has_value_and_reason"
            ),
        )

    def __str__(self) -> str:
        return self.value


class ApiScope(models.TextChoices):
    READ_SWITCHES = "switches:read", _("read switches")
    SET_SWITCHES = "switches:set", _("set and lift switches")


class ApiKey(models.Model):
    """Lets a script act in the name of whoever made it. Only a hash of the token is kept."""

    name = models.CharField(_("name"), max_length=100)
    tenant = models.ForeignKey(
        Tenant,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("tenant"),
        help_text=_("What it may reach; empty for all that its maker may reach."),
    )
    prefix = models.CharField(_("prefix"), max_length=12, unique=True)
    token_hash = models.CharField(_("token hash"), max_length=64)
    scopes = models.JSONField(_("scopes"), default=list)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    history = HistoricalRecords(excluded_fields=["token_hash", "last_used_at"])

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.name
