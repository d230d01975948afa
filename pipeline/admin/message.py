from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.acts import ActingAdmin
from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import RecordFilter
from audit.staff.show import Tone, badge_column, characters, code, json_field, link_column, moment_column
from conversations.admin import tones
from conversations.admin.delivery import delivery_story
from conversations.models import Message
from pipeline.admin import acts
from pipeline.admin.settling import settling


@admin.register(Message)
class MessageAdmin(ActingAdmin, ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    acts = (acts.MARK_DELIVERED, acts.SEND_AGAIN)
    list_display = ("what", "thread", "said_by", "delivery_state", "error_code", "created")
    list_select_related = ("conversation__contact",)
    list_filter = (
        ("delivery", ChoicesDropdownFilter),
        ("direction", ChoicesDropdownFilter),
        ("author_kind", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("conversation", RecordFilter),
        ("channel", RecordFilter),
    )
    search_fields = (
        "id__exact",
        "turn_id__exact",
        "idempotency_key__exact",
        "provider_id__exact",
        "conversation__contact__address__exact",
        "text__icontains",
    )
    search_help_text = _(
        "Number, turn, idempotency key, provider's id, the contact's address, or part of the text."
    )
    fields = (
        "thread",
        "session",
        "channel",
        "direction",
        "said_by",
        "author",
        "kind",
        "text",
        "shown_media",
        "created",
        "turn_id",
        "delivery_state",
        "shown_provider_id",
        "shown_key",
        "owner_epoch",
        "attempts",
        "error_code",
        "error_detail",
    )
    readonly_fields = (
        "thread",
        "said_by",
        "shown_media",
        "created",
        "delivery_state",
        "shown_provider_id",
        "shown_key",
    )
    deferred = ("channel__credentials",)
    discloses = {
        "tenant_id": "conversation.tenant_id",
        "conversation_id": "conversation_id",
        "contact_id": "conversation.contact_id",
        "session_id": "session_id",
        "turn_id": "turn_id",
    }
    words = ("text__icontains",)

    thread = link_column("conversation", _("conversation"))
    said_by = badge_column("author_kind", _("author"), tones.AUTHOR)
    delivery_state = badge_column("delivery", _("delivery"), tones.DELIVERY)
    created = moment_column("created_at", _("created"))
    shown_media = json_field("media", _("media"))

    @admin.display(description=_("message"))
    def what(self, message: Message) -> str:
        """Not its words: they are on its page, and the trail tells who opened that."""
        kind = message.get_kind_display()
        return f"{kind}, {characters(message.text)}" if message.text else kind

    @admin.display(description=_("provider id"))
    def shown_provider_id(self, message: Message) -> str:
        return code(message.provider_id)

    @admin.display(description=_("idempotency key"))
    def shown_key(self, message: Message) -> str:
        return code(message.idempotency_key)

    def story(self, record: Message) -> dict[str, Any]:
        return {
            "chapters": delivery_story(record),
            "settling": settling(record, timezone.now()),
            "tone": tones.DELIVERY.get(record.delivery, Tone.INFO),
        }

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("Messages appear here as contacts write and agents answer."))
