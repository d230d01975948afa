from django.conf import settings
from django.contrib import admin
from django.db.models import URLField
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter

from audit.staff.acts import ActingAdmin
from audit.staff.base import EmptyState
from audit.staff.filters import RecordFilter
from audit.staff.show import Tone, ago, badge, code
from conversations.admin.base import ConfigurationAdmin
from conversations.models import Channel, ChannelKind
from pipeline.admin import acts
from pipeline.admin.credentials import ALL_SECRETS, SECRETS, ChannelForm

WEBHOOK_PATHS = {
    ChannelKind.WHATSAPP_CLOUD: "whatsapp",
    ChannelKind.HTTP: "http",
    ChannelKind.WAHA: "waha",
}


@admin.register(Channel)
class ChannelAdmin(ActingAdmin, ConfigurationAdmin):
    tenant_path = "tenant"
    acts = (acts.PAUSE, acts.RESUME)
    form = ChannelForm
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    list_display = ("slug", "kind", "tenant", "agent", "active", "external_id")
    list_select_related = ("tenant", "agent")
    deferred = ("credentials",)
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("is_active", BooleanRadioFilter),
        ("tenant", RecordFilter),
        ("agent", RecordFilter),
    )
    search_fields = ("slug__exact", "external_id__exact", "slug__icontains")
    search_help_text = _("Part of a slug, or a phone number id.")
    autocomplete_fields = ("tenant", "agent")
    fieldsets = (
        (None, {"fields": ("tenant", "agent", "slug", "kind", "is_active", "webhook_url", "pause")}),
        (_("Where messages are sent"), {"fields": ("external_id", "api_url")}),
        (
            _("Policies"),
            {"fields": ("overload_policy", "unknown_policy", "settle_minutes", "hand_reply_minutes")},
        ),
        (_("Credentials"), {"fields": tuple(secret.key for secret in ALL_SECRETS)}),
    )
    readonly_fields = ("webhook_url", "pause")
    conditional_fields = {
        secret.key: f"kind == '{kind.value}'" for kind in ChannelKind for secret in SECRETS[kind]
    }

    @admin.display(description=_("state"))
    def active(self, channel: Channel) -> str:
        if channel.paused_at:
            return badge(_("paused"), Tone.DANGER)
        return badge(_("active"), Tone.SUCCESS) if channel.is_active else badge(_("off"))

    @admin.display(description=pgettext_lazy("of a channel", "sending"))
    def pause(self, channel: Channel) -> str:
        if channel.paused_at is None:
            return gettext("Goes on.")
        words = gettext("Paused %(when)s: %(reason)s")
        reason = channel.paused_reason and gettext(channel.paused_reason)
        return words % {"when": ago(channel.paused_at, timezone.now()), "reason": reason}

    @admin.display(description=_("webhook address"))
    def webhook_url(self, channel: Channel) -> str:
        if not channel.pk:
            return gettext("Shown here once the channel is saved.")
        path = WEBHOOK_PATHS[ChannelKind(channel.kind)]
        return code(f"{settings.ZUPA.public_url}/api/webhooks/{path}/{channel.slug}")

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No channel yet"),
            text=_("A channel is a way in and out: a WhatsApp number or a signed HTTP endpoint."),
        )
