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
