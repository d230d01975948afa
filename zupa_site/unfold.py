"""How the admin is dressed: names, colours, and the way through it."""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from zupa_site.environment import Environment


def unfold(environment: Environment) -> dict[str, Any]:
    return {
        "SITE_TITLE": "Zupa",
        "SITE_HEADER": "Zupa",
        "SITE_SUBHEADER": _("Operations room"),
        "SITE_SYMBOL": "forum",
        "SITE_FAVICONS": [
            {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("review/icon.svg")}
        ],
        "SITE_URL": None,
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SHOW_LANGUAGES": True,
        "BORDER_RADIUS": "8px",
        "ENVIRONMENT": None if environment.production else "zupa_site.unfold.development",
        "DASHBOARD_CALLBACK": "zupa_site.dashboard.callback",
        "STYLES": [
            lambda request: static("pipeline/admin.css"),
            lambda request: static("pipeline/strip.css"),
        ],
        "SCRIPTS": [lambda request: static("review/live.js")],
        "COLORS": {"primary": TEAL},
        "SIDEBAR": {"show_search": True, "navigation": NAVIGATION},
    }


def development(request: HttpRequest) -> tuple[str, str]:
    return str(_("Development")), "info"


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    def permission(request: HttpRequest) -> bool:
        pages = admin.site.get_model_admin(apps.get_model(app, model))
        return bool(pages.has_view_or_change_permission(request))

    return permission


def _item(title: Any, icon: str, app: str, model: str, query: str = "") -> dict[str, Any]:
    """`query` narrows the model's list to what the item is about."""
    name = f"admin:{app}_{model}_changelist"
    return {
        "title": title,
        "icon": icon,
        "link": _narrowed(name, query) if query else reverse_lazy(name),
        "active": _is_here(name, query),
        "permission": _may_view(app, model),
    }


def _narrowed(name: str, query: str) -> Any:
    return lazy(lambda: f"{reverse(name)}?{query}", str)()


def _is_here(name: str, query: str) -> Callable[[HttpRequest], bool]:
    """Of several items with the same list, the one whose narrowing is in force."""

    def is_here(request: HttpRequest) -> bool:
        path, asked = reverse(name), request.GET.urlencode()
        if query:
            return request.path == path and query in asked
        narrowed = request.path == path and any(narrow in asked for narrow in NARROWED)
        return request.path.startswith(path) and not narrowed

    return is_here


DEAD_LETTERS = "outcome=dead"
UNKNOWN_SENDS = "delivery__exact=unknown"
NARROWED = (DEAD_LETTERS, UNKNOWN_SENDS)


TEAL = {
    "50": "oklch(98.4% .014 180.7)",
    "100": "oklch(95.3% .051 180.8)",
    "200": "oklch(91% .096 180.4)",
    "300": "oklch(85.5% .138 181.1)",
    "400": "oklch(77.7% .152 181.9)",
    "500": "oklch(70.4% .14 182.5)",
    "600": "oklch(52% .104 184.7)",
    "700": "oklch(45% .088 186.4)",
    "800": "oklch(39% .073 188.2)",
    "900": "oklch(34% .06 188.4)",
    "950": "oklch(25% .046 192.5)",
}
NAVIGATION = [
    {"items": [{"title": _("Dashboard"), "icon": "monitoring", "link": reverse_lazy("admin:index")}]},
    {
        "title": _("Conversations"),
        "items": [
            _item(_("Conversations"), "forum", "conversations", "conversation"),
            _item(_("Messages"), "chat", "conversations", "message"),
            _item(_("Unknown sends"), "unknown_document", "conversations", "message", UNKNOWN_SENDS),
            _item(_("Contacts"), "person", "conversations", "contact"),
            _item(_("Sessions"), "history_toggle_off", "conversations", "session"),
            _item(_("Review items"), "rule", "review", "reviewitem"),
            _item(_("Notes"), "sticky_note_2", "conversations", "note"),
            _item(_("Attachments"), "attach_file", "conversations", "attachment"),
        ],
    },
    {
        "title": _("Pipeline"),
        "items": [
            _item(_("Events"), "move_to_inbox", "pipeline", "processedevent"),
            _item(_("Dead letters"), "report", "pipeline", "processedevent", DEAD_LETTERS),
            _item(_("Turns"), "conversion_path", "pipeline", "turn"),
            _item(_("Steps"), "bolt", "pipeline", "step"),
            _item(_("Mailboxes"), "mail", "pipeline", "mailbox"),
            _item(_("Workers"), "memory", "pipeline", "worker"),
            _item(_("Breakers"), "electrical_services", "pipeline", "breaker"),
            _item(_("Queued tasks"), "notifications_active", "pipeline", "queuedtask"),
            _item(_("Failed tasks"), "error", "django_q", "failure"),
            _item(_("Housekeeping"), "cleaning_services", "pipeline", "housekeepingrun"),
        ],
    },
    {
        "title": _("Controls"),
        "items": [
            _item(_("Switches"), "toggle_on", "pipeline", "switch"),
            _item(_("Blocklist"), "block", "pipeline", "blocklistentry"),
            _item(_("Incidents"), "emergency_home", "pipeline", "incident"),
            _item(_("API keys"), "key", "pipeline", "apikey"),
        ],
    },
    {
        "title": _("Configuration"),
        "items": [
            _item(_("Agents"), "smart_toy", "conversations", "agent"),
            _item(_("Channels"), "swap_calls", "conversations", "channel"),
            _item(_("Canned replies"), "quickreply", "conversations", "cannedreply"),
            _item(_("Tenants"), "domain", "conversations", "tenant"),
        ],
    },
    {
        "title": _("People and evidence"),
        "items": [
            _item(_("Audit trail"), "fact_check", "audit", "auditentry"),
            _item(_("Users"), "group", "auth", "user"),
            _item(_("Groups"), "groups", "auth", "group"),
            _item(_("Staff scopes"), "shield_person", "conversations", "staffscope"),
        ],
    },
]
