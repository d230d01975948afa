from conversations.admin.contact import ContactAdmin
from conversations.admin.conversation import ConversationAdmin, SessionAdmin
from conversations.admin.scope import StaffScopeAdmin
from conversations.admin.staff import AttachmentAdmin, CannedReplyAdmin, NoteAdmin
from conversations.admin.tenant import TenantAdmin

__all__ = [
    "AttachmentAdmin",
    "CannedReplyAdmin",
    "ContactAdmin",
    "ConversationAdmin",
    "NoteAdmin",
    "SessionAdmin",
    "StaffScopeAdmin",
    "TenantAdmin",
]
