from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PipelineConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "pipeline"
    verbose_name = _("Pipeline")
    audited = {
        "api_key": "ApiKey",
        "blocklist_entry": "BlocklistEntry",
        "breaker": "Breaker",
        "event": "ProcessedEvent",
        "incident": "Incident",
        "step": "Step",
        "switch": "Switch",
        "turn": "Turn",
    }
