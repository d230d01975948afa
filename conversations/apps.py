from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "conversations"
    verbose_name = _("Conversations")
    audited = {
        "agent": "Agent",
        "cannedreply": "CannedReply",
        "channel": "Channel",
        "contact": "Contact",
        "conversation": "Conversation",
        "message": "Message",
        "note": "Note",
        "session": "Session",
        "tenant": "Tenant",
    }
