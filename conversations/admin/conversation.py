from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.acts import Act, ActingAdmin
from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import MomentFilter, RecordFilter
from audit.staff.show import Text, badge_column, link_column, moment_column
from conversations import sessions
from conversations.admin import tones
from conversations.models import Conversation, Message, Session, SummaryStatus

RECENT_MESSAGES = 20
RECENT_SESSIONS = 5
SUMMARY_WORDS: dict[str, Text] = {
    SummaryStatus.NONE: _("It is written once the session has ended."),
    SummaryStatus.PENDING: _("The model writes it soon; while it is down, it is tried again later."),
    SummaryStatus.WRITTEN: _("There was nothing to sum up."),
    SummaryStatus.FAILED: _("The model could not write one."),
}


def _close(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    return sessions.close_by_operator(session_ids=ids, by=by, reason=reason, now=now)


def _to_close(number: int) -> str:
    text = ngettext(
        "%(count)d session ends: the contact's next message begins a new one, and the model forgets this one.",
        "%(count)d sessions end: the contacts' next messages begin new ones, and the model forgets these.",
        number,
    )
    return text % {"count": number}


def _closed(number: int) -> str:
    return ngettext("%(count)d session ended.", "%(count)d sessions ended.", number) % {"count": number}


CLOSE = Act(
    name="close",
    title=_("End session"),
    icon="stop_circle",
    possible=lambda rows: rows.filter(ended_at__isnull=True),
    refusal=_("It has ended already."),
    announcement=_to_close,
    done=_closed,
    perform=_close,
)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    tenant_path = "tenant"
    list_display = ("__str__", "address", "channel", "tenant", "owned_by", "last_message")
    list_select_related = ("contact", "channel", "tenant")
    list_filter = (
        ("owner_kind", ChoicesDropdownFilter),
        ("channel", RecordFilter),
        ("tenant", RecordFilter),
        ("last_message_at", MomentFilter),
    )
    search_fields = (
        "id__exact",
        "contact__address__exact",
        "contact__address__startswith",
        "contact__name__icontains",
    )
    search_help_text = _("Number, the contact's address, or part of the contact's name.")
    fields = (
        "contact",
        "address",
        "channel",
        "tenant",
        "owned_by",
        "owner",
        "owner_epoch",
        "owned_since",
        "owned_until",
        "others_asked_at",
        "created",
        "last_message",
    )
    readonly_fields = ("address", "owned_by", "created", "last_message")
    deferred = ("channel__credentials",)
    discloses = {"tenant_id": "tenant_id", "conversation_id": "pk", "contact_id": "contact_id"}

    owned_by = badge_column("owner_kind", _("owner"), tones.OWNER)
    created = moment_column("created_at", _("first seen"))
    last_message = moment_column("last_message_at", _("last message"))

    @admin.display(description=_("address"))
    def address(self, conversation: Conversation) -> str:
        return conversation.contact.address

    def story(self, record: Conversation) -> dict[str, Any]:
        newest = Message.objects.filter(conversation=record).order_by("-id")[:RECENT_MESSAGES]
        return {
            "said": list(reversed(newest)),
            "sessions": list(Session.objects.filter(conversation=record)[:RECENT_SESSIONS]),
        }

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("A conversation begins with a contact's first message."))


@admin.register(Session)
class SessionAdmin(ActingAdmin, ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    acts = (CLOSE,)
    list_display = (
        "__str__",
        "thread",
        "started",
        "last_activity",
        "ended",
        "end_reason",
        "summary_state",
        "turn_count",
    )
    list_select_related = ("conversation__contact",)
    list_filter = (
        ("end_reason", ChoicesDropdownFilter),
        ("summary_status", ChoicesDropdownFilter),
        ("conversation", RecordFilter),
    )
    search_fields = ("id__exact", "conversation__contact__address__exact")
    search_help_text = _("Number, or the contact's address.")
    fields = (
        "thread",
        "started",
        "last_activity",
        "ended",
        "end_reason",
        "turn_count",
        "prompt_tokens",
        "completion_tokens",
        "summary_status",
        "summary",
    )
    readonly_fields = ("thread", "started", "last_activity", "ended")
    discloses = {
        "tenant_id": "conversation.tenant_id",
        "conversation_id": "conversation_id",
        "contact_id": "conversation.contact_id",
        "session_id": "pk",
    }

    thread = link_column("conversation", _("conversation"))
    started = moment_column("started_at", _("started"))
    last_activity = moment_column("last_activity_at", _("last activity"))
    ended = moment_column("ended_at", _("ended"))
    summary_state = badge_column("summary_status", _("summary"), tones.SUMMARY)

    def story(self, record: Session) -> dict[str, Any]:
        return {"summary_words": SUMMARY_WORDS[record.summary_status]}

    def empty_state(self) -> EmptyState:
        return EmptyState(
            text=_("A session begins with a message, and ends when the contact resets it or falls silent.")
        )
