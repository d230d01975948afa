from conversations.admin.contact import ContactAdmin
from conversations.admin.conversation import ConversationAdmin, SessionAdmin
from conversations.admin.scope import StaffScopeAdmin
from conversations.admin.tenant import TenantAdmin

__all__ = ["ContactAdmin", "ConversationAdmin", "SessionAdmin", "StaffScopeAdmin", "TenantAdmin"]
