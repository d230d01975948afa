"""Controls in words, for pages, commands and the API's readers."""

from typing import Any

from django.utils.translation import gettext as _

from pipeline.models import Switch, SwitchScope
from pipeline.policies.switches import OFFERED, Capability, SwitchAction


def what(switch: Switch) -> str:
    """What is switched, and how: "replies: pause", "tool refund: stop"."""
    return switched(Capability(switch.capability), SwitchAction(switch.action), switch.tool)


def switched(capability: Capability, action: SwitchAction, tool: str) -> str:
    shown = Switch(capability=capability, action=action)
    name = _("tool %(name)s") % {"name": tool} if tool else shown.get_capability_display()
    return _("%(capability)s: %(action)s") % {"capability": name, "action": shown.get_action_display()}


def over(switch: Switch) -> str:
    """For whom: "everything", "tenant Demo", "conversation Bruno"."""
    word = switch.get_scope_display()
    if switch.scope == SwitchScope.EVERYTHING:
        return word
    return f"{word} {target(switch)}"


def target(switch: Switch) -> Any:
    return getattr(switch, switch.scope)


def effect(switch: Switch) -> str:
    """What it does, in one plain sentence."""
    offer = OFFERED.get((Capability(switch.capability), SwitchAction(switch.action)))
    return _(offer.effect) if offer else ""


def as_json(switch: Switch) -> dict[str, Any]:
    """For scripts: `manage.py status --json` and the API."""
    return {
        "id": switch.pk,
        "scope": switch.scope,
        "target_id": None if switch.scope == SwitchScope.EVERYTHING else target(switch).pk,
        "capability": switch.capability,
        "tool": switch.tool,
        "action": switch.action,
        "status": switch.status,
        "reason": switch.reason,
        "requested_by": switch.requested_by.get_username(),
        "approved_by": switch.approved_by.get_username() if switch.approved_by else None,
        "active_since": switch.active_since.isoformat() if switch.active_since else None,
        "ends_at": switch.ends_at.isoformat() if switch.ends_at else None,
    }
