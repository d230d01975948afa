from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "conversations"
    verbose_name = _("Conversations")
    audited = {
        "agent": "Agent",
        "channel": "Channel",
        "contact": "Contact",
        "conversation": "Conversation",
        "message": "Message",
        "session": "Session",
        "staff_scope": "StaffScope",
        "tenant": "Tenant",
    }
