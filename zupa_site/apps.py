from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from audit import reporting


class ZupaSiteConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "zupa_site"
    verbose_name = _("Zupa")
    audited = {"account": "auth.User", "group": "auth.Group"}

    def ready(self) -> None:
        if settings.ZUPA.sentry_dsn:
            reporting.start(dsn=settings.ZUPA.sentry_dsn, environment=settings.ZUPA.name)
