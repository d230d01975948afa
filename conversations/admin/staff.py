"""What staff bring to conversations: ready-made replies, notes, and files."""

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import MomentFilter, RecordFilter
from audit.staff.show import characters, code, link_column, moment_column
from conversations.admin.base import ConfigurationAdmin
from conversations.models import Attachment, CannedReply, Note

EXCERPT = 80


@admin.register(CannedReply)
class CannedReplyAdmin(ConfigurationAdmin):
    tenant_path = "tenant"
    list_display = ("shortcut", "excerpt", "tenant")
    list_select_related = ("tenant",)
    list_filter = (("tenant", RecordFilter),)
    search_fields = ("shortcut__exact", "shortcut__icontains", "text__icontains")
    search_help_text = _("Part of a shortcut or of a text.")
    autocomplete_fields = ("tenant",)
    fields = ("tenant", "shortcut", "text")

    @admin.display(description=_("text"))
    def excerpt(self, reply: CannedReply) -> str:
        return Truncator(reply.text).chars(EXCERPT)

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No canned reply yet"),
            text=_(
                "A canned reply is found by typing a slash and its shortcut where people write to contacts."
            ),
        )


@admin.register(Note)
class NoteAdmin(ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    list_display = ("what", "thread", "author", "for_agent", "created")
    list_select_related = ("conversation__contact", "author")
    list_filter = (
        ("conversation", RecordFilter),
        ("author", RecordFilter),
        ("for_agent", BooleanRadioFilter),
        ("created_at", MomentFilter),
    )
    search_fields = ("id__exact", "conversation__contact__address__exact", "text__icontains")
    search_help_text = _("Number, the contact's address, or part of the text.")
    fields = ("thread", "author", "text", "for_agent", "created")
    readonly_fields = ("thread", "created")
    discloses = {
        "tenant_id": "conversation.tenant_id",
        "conversation_id": "conversation_id",
        "contact_id": "conversation.contact_id",
    }
    words = ("text__icontains",)

    thread = link_column("conversation", _("conversation"))
    created = moment_column("created_at", _("created"))

    @admin.display(description=_("note"))
    def what(self, note: Note) -> str:
        """Not its words, which may be the contact's: they are on its page, and the trail tells who opened that."""
        return characters(note.text)

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("People leave notes on a conversation's page."))


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """Tells of files; what is in them is seen on the conversation's page, where reading leaves its trace."""

    tenant_path = "conversation__tenant"
    list_display = ("name", "thread", "mime_type", "size", "created_by", "created")
    list_select_related = ("conversation__contact", "created_by")
    list_filter = (
        ("conversation", RecordFilter),
        ("created_by", RecordFilter),
        ("created_at", MomentFilter),
    )
    search_fields = ("id__exact", "sha256__exact", "conversation__contact__address__exact", "name__icontains")
    search_help_text = _("Id, SHA-256, the contact's address, or part of the name.")
    fields = ("thread", "name", "mime_type", "size", "checksum", "created_by", "created")
    readonly_fields = ("thread", "size", "checksum", "created")

    thread = link_column("conversation", _("conversation"))
    created = moment_column("created_at", _("created"))

    @admin.display(description=_("size"))
    def size(self, attachment: Attachment) -> str:
        return filesizeformat(attachment.size_bytes)

    @admin.display(description="SHA-256")
    def checksum(self, attachment: Attachment) -> str:
        return code(attachment.sha256)

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("People attach files where they write to contacts."))
