"""Who answers, for whom, and through which door."""

from string import Template
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from conversations.fields import EncryptedJSONField

MAX_BURST_S = 6.0
"""A burst is answered this long after its first message, whatever still comes in."""
PROMPT_VARIABLES = ("agent_name", "tenant_name", "contact_name", "language", "now")


def validate_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(
            _("%(value)s is not an IANA time zone, such as America/Sao_Paulo."), params={"value": value}
        )


def validate_prompt_template(value: str) -> None:
    template = Template(value)
    unknown = sorted(set(template.get_identifiers()) - set(PROMPT_VARIABLES))
    if not template.is_valid():
        raise ValidationError(_("A $ stands alone: write $$ for a dollar sign."))
    if unknown:
        raise ValidationError(
            _("Unknown variables: %(unknown)s. Known are: %(known)s."),
            params={"unknown": ", ".join(unknown), "known": ", ".join(PROMPT_VARIABLES)},
        )


class Tenant(models.Model):
    """A customer organisation."""

    slug = models.SlugField(_("slug"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validate_time_zone]
    )
    max_in_flight = models.PositiveIntegerField(
        _("max in flight"),
        default=100,
        validators=[MinValueValidator(1)],
        help_text=_("How many of its conversations are worked on at the same time, over all workers."),
    )
    max_waiting = models.PositiveIntegerField(
        _("max waiting"),
        default=10_000,
        help_text=_("Waiting messages from which its channels are over their limit."),
    )
    max_waiting_per_conversation = models.PositiveIntegerField(_("max waiting per conversation"), default=100)
    retention_days = models.PositiveIntegerField(
        _("retention days"),
        default=90,
        validators=[MinValueValidator(1)],
        help_text=_("After this, events with their payloads, steps and descriptions of media are deleted."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Language(models.TextChoices):
    ENGLISH = "en", _("English")
    PORTUGUESE = "pt-br", _("Portuguese (Brazil)")
    SPANISH = "es", _("Spanish")


class OutagePolicy(models.TextChoices):
    """What an agent does when no model answers: its last rung."""

    REPLY = "reply", _("send the fallback reply")
    WAIT = "wait", _("keep the message waiting")
    PERSON = "person", _("hand over to a person")


class AgentMode(models.TextChoices):
    AUTONOMOUS = "autonomous", _("answers by itself")
    SUPERVISED = "supervised", _("a person approves each answer")


class ExpiryDecision(models.TextChoices):
    """What becomes of a proposal that nobody decided in time."""

    DENY = "deny", _("deny it")
    APPROVE = "approve", _("approve it")


class IdleTakeoverPolicy(models.TextChoices):
    """What becomes of a conversation whose person has fallen silent."""

    HAND_BACK = "hand_back", _("hand it back to the agent")
    REASSIGN = "reassign", _("ask another person")


class Agent(models.Model):
    """An agent's whole configuration. The newest history id is the policy version that every turn names."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="agents", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=120)
    prompt_template = models.TextField(
        _("prompt template"),
        validators=[validate_prompt_template],
        help_text=_("Variables: $agent_name, $tenant_name, $contact_name, $language, $now."),
    )
    model = models.CharField(_("model"), max_length=120, default="gpt-4.1-mini")
    language = models.CharField(_("language"), max_length=10, choices=Language, default=Language.ENGLISH)
    temperature = models.FloatField(
        _("temperature"), default=0.3, validators=[MinValueValidator(0), MaxValueValidator(2)]
    )
    max_output_tokens = models.PositiveIntegerField(
        _("max output tokens"), default=800, validators=[MinValueValidator(16), MaxValueValidator(16_000)]
    )
    max_tool_iterations = models.PositiveSmallIntegerField(
        _("max tool iterations"),
        default=3,
        validators=[MaxValueValidator(10)],
        help_text=_("How often the model may call tools before it has to answer."),
    )
    history_limit = models.PositiveSmallIntegerField(
        _("history limit"),
        default=20,
        validators=[MaxValueValidator(200)],
        help_text=_("How many earlier messages of the session the model reads."),
    )
    allowed_tools = models.JSONField(
        _("allowed tools"), default=list, blank=True, help_text=_("Names of the tools this agent may call.")
    )
    burst_window_s = models.FloatField(
        _("burst window"),
        default=1.2,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_BURST_S)],
        help_text=_("Seconds of silence after which a burst of messages is answered as one. 0: each alone."),
    )
    session_idle_minutes = models.PositiveIntegerField(
        _("session idle minutes"), default=30, validators=[MinValueValidator(1)]
    )
    rate_limit_per_minute = models.PositiveIntegerField(
        _("rate limit per minute"),
        default=20,
        help_text=_("Messages of one contact that are answered in a minute."),
    )
    fallback_model = models.CharField(
        _("fallback model"), max_length=120, blank=True, help_text=_("Asked when the model does not answer.")
    )
    outage_policy = models.CharField(
        _("outage policy"), max_length=10, choices=OutagePolicy, default=OutagePolicy.REPLY
    )
    fallback_reply = models.TextField(
        _("fallback reply"),
        blank=True,
        default="Sorry, I can't answer right now. Please try again in a few minutes.",
        help_text=_("Sent when the model cannot answer. Empty: nothing is sent."),
    )
    overload_reply = models.TextField(
        _("overload reply"),
        default="We are receiving more messages than we can answer. Please write again in a few minutes.",
        help_text=_("Sent at most once a minute to a contact whose message was shed."),
    )
    refusal_reply = models.TextField(
        _("refusal reply"),
        default="I can't help with this at the moment. Please try again later.",
        help_text=_("Sent where a switch stops what the contact asks for. Empty: nothing is said."),
    )
    mode = models.CharField(_("mode"), max_length=12, choices=AgentMode, default=AgentMode.AUTONOMOUS)
    risk_rules = models.JSONField(
        _("risk rules"),
        default=list,
        blank=True,
        help_text=_("When a tool call or an answer waits for a person; see docs/review.md."),
    )
    review_minutes = models.PositiveIntegerField(
        _("review minutes"),
        default=30,
        validators=[MinValueValidator(1)],
        help_text=_("How long a person has to decide on what this agent proposes."),
    )
    review_default = models.CharField(
        _("review default"),
        max_length=10,
        choices=ExpiryDecision,
        default=ExpiryDecision.DENY,
        help_text=_("What becomes of a proposal that nobody decided in time."),
    )
    takeover_idle_minutes = models.PositiveIntegerField(
        _("takeover idle minutes"),
        default=30,
        validators=[MinValueValidator(1)],
        help_text=_(
            "Minutes without an act of the person who took over, after which the policy below holds."
        ),
    )
    takeover_idle_policy = models.CharField(
        _("takeover idle policy"),
        max_length=10,
        choices=IdleTakeoverPolicy,
        default=IdleTakeoverPolicy.HAND_BACK,
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["tenant", "name"], name="agent_name_once_a_tenant"),)

    def __str__(self) -> str:
        return self.name


class OverloadPolicy(models.TextChoices):
    """What a channel does with messages over its tenant's limits."""

    PUSH_BACK = "push_back", _("refuse for now (429)")
    QUEUE = "queue", _("queue all the same")
    SHED = "shed", _("record and drop")


class UnknownPolicy(models.TextChoices):
    """What becomes of a send whose answer was lost and that no status settled in time."""

    HOLD = "hold", _("hold for a person")
    RESEND = "resend", _("send again, where the platform drops repeats")


class ChannelKind(models.TextChoices):
    WHATSAPP_CLOUD = "whatsapp_cloud", _("WhatsApp Cloud API")
    HTTP = "http", _("Signed HTTP")
    WAHA = "waha", _("WhatsApp Web (WAHA)")


class Channel(models.Model):
    """A way in and out. What `credentials` must hold is said by the kind's transport."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="channels", verbose_name=_("tenant"))
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="channels", verbose_name=_("agent"))
    slug = models.SlugField(_("slug"), unique=True, help_text=_("Part of the webhook's address."))
    kind = models.CharField(_("kind"), max_length=20, choices=ChannelKind)
    external_id = models.CharField(
        _("external id"),
        max_length=64,
        blank=True,
        help_text=_("WhatsApp: the phone number id. WAHA: the name of its session."),
    )
    api_url = models.URLField(
        _("API address"),
        blank=True,
        help_text=_(
            "Where messages are sent. WhatsApp: empty for the vendor's own. Signed HTTP: your endpoint."
            " WAHA: its address, without /api."
        ),
    )
    credentials = EncryptedJSONField(_("credentials"), default=dict, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    overload_policy = models.CharField(
        _("overload policy"), max_length=10, choices=OverloadPolicy, default=OverloadPolicy.PUSH_BACK
    )
    unknown_policy = models.CharField(
        _("unknown policy"), max_length=10, choices=UnknownPolicy, default=UnknownPolicy.HOLD
    )
    settle_minutes = models.PositiveIntegerField(
        _("settle minutes"),
        default=10,
        help_text=_("How long to wait for a status before an unknown send is held."),
    )
    hand_reply_minutes = models.PositiveIntegerField(
        _("hand reply minutes"),
        default=30,
        validators=[MinValueValidator(1)],
        help_text=_("How long a reply by hand on the phone itself keeps the agent silent."),
    )
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True, editable=False)
    paused_reason = models.TextField(_("paused reason"), blank=True, editable=False)
    paused_by_platform = models.BooleanField(
        _("paused by its platform"),
        default=False,
        editable=False,
        help_text=_("Such a pause ends by itself, once the platform reports that it works again."),
    )
    platform_reported_at = models.DateTimeField(
        _("platform reported at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the platform made its newest report on its session; older ones come too late."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    history = HistoricalRecords(excluded_fields=["credentials", "platform_reported_at"])

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("slug",)
        permissions = (("pause_channel", _("Can pause channels and have them send again")),)
        constraints = (
            models.CheckConstraint(condition=models.Q(kind__in=ChannelKind.values), name="channel_kind"),
            models.UniqueConstraint(
                fields=["kind", "external_id"],
                condition=~models.Q(external_id=""),
                name="channel_external_id_once_a_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(paused_by_platform=False) | models.Q(paused_at__isnull=False),
                name="channel_platform_pause_is_a_pause",
            ),
        )

    def __str__(self) -> str:
        return self.slug
