"""Switches: what a person's word to pause, degrade or stop means, and which word counts where several are in force."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class SwitchScope(StrEnum):
    EVERYTHING = "everything"
    TENANT = "tenant"
    CHANNEL = "channel"
    AGENT = "agent"
    CONVERSATION = "conversation"
    CONTACT = "contact"


class Capability(StrEnum):
    INTAKE = "intake"
    REPLIES = "replies"
    OUTBOUND = "outbound"
    MODEL = "model"
    TOOL = "tool"
    VOICE_IN = "voice_in"
    VOICE_OUT = "voice_out"
    MEMORY = "memory"


class SwitchAction(StrEnum):
    PAUSE = "pause"
    DEGRADE = "degrade"
    STOP = "stop"


PAUSED_S = 300.0
"""How often what a switch pauses looks again by itself; lifting the switch wakes it at once."""
_SEVERITY = {SwitchAction.DEGRADE: 1, SwitchAction.PAUSE: 2, SwitchAction.STOP: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A switch in force. `target_id` names what its scope is over, None for everything."""

    id: int
    scope: SwitchScope
    target_id: int | None
    capability: Capability
    tool: str
    action: SwitchAction

    def is_for(self, subject: "Subject", capability: Capability, tool: str) -> bool:
        if self.capability is not capability or self.tool != tool:
            return False
        return self.scope is SwitchScope.EVERYTHING or subject.target_id(self.scope) == self.target_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a decision is about, at all the scopes at once."""

    tenant_id: int
    channel_id: int
    agent_id: int
    conversation_id: int | None
    contact_id: int | None

    def target_id(self, scope: SwitchScope) -> int | None:
        return {
            SwitchScope.TENANT: self.tenant_id,
            SwitchScope.CHANNEL: self.channel_id,
            SwitchScope.AGENT: self.agent_id,
            SwitchScope.CONVERSATION: self.conversation_id,
            SwitchScope.CONTACT: self.contact_id,
        }[scope]


def strictest(rules: Iterable[Rule], subject: Subject, capability: Capability, tool: str = "") -> Rule | None:
    """The one of the rules that counts: stop before pause before degrade; of equals the one that was set first."""
    found = [rule for rule in rules if rule.is_for(subject, capability, tool)]
    return min(found, key=lambda rule: (-_SEVERITY[rule.action], rule.id), default=None)


ALL_SCOPES = tuple(SwitchScope)
WIDE_SCOPES = (SwitchScope.EVERYTHING, SwitchScope.TENANT, SwitchScope.CHANNEL, SwitchScope.AGENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`effect` is one plain sentence for whoever sets the switch, shown through gettext."""

    effect: str
    scopes: tuple[SwitchScope, ...] = ALL_SCOPES


def _(text: str) -> str:
    """Marks a text for translators; pages translate it when they show it."""
    return text


OFFERED: Mapping[tuple[Capability, SwitchAction], Offer] = {
    # One POST carries many people's messages, so it can only be put off as a whole.
    (Capability.INTAKE, SwitchAction.PAUSE): Offer(
        effect=_(
            "Webhooks are answered with 503 and nothing is recorded; the platforms deliver again later."
        ),
        scopes=WIDE_SCOPES,
    ),
    (Capability.INTAKE, SwitchAction.DEGRADE): Offer(
        effect=_("Messages are recorded and dropped as overload; their senders get the overload reply."),
    ),
    (Capability.INTAKE, SwitchAction.STOP): Offer(
        effect=_("Messages are recorded and not answered; their senders get the refusal reply."),
    ),
    (Capability.REPLIES, SwitchAction.PAUSE): Offer(
        effect=_("Messages are recorded and wait; no answer is begun, and those under way are set aside."),
    ),
    (Capability.REPLIES, SwitchAction.DEGRADE): Offer(
        effect=_("Each answer is held until a person approves it."),
    ),
    (Capability.REPLIES, SwitchAction.STOP): Offer(
        effect=_("No message is answered; its sender gets the refusal reply."),
    ),
    (Capability.OUTBOUND, SwitchAction.PAUSE): Offer(
        effect=_("Nothing is sent, by agents or by people; messages wait in the outbox."),
    ),
    (Capability.OUTBOUND, SwitchAction.STOP): Offer(
        effect=_("Nothing is sent, by agents or by people; what waits in the outbox is withdrawn for good."),
    ),
    (Capability.MODEL, SwitchAction.PAUSE): Offer(
        effect=_("No model is asked; messages that need one wait."),
    ),
    (Capability.MODEL, SwitchAction.DEGRADE): Offer(
        effect=_("The agent's model is not asked: its fallback model answers, or its outage policy decides."),
    ),
    (Capability.MODEL, SwitchAction.STOP): Offer(
        effect=_("No model is asked; who needs one gets the refusal reply."),
    ),
    (Capability.TOOL, SwitchAction.PAUSE): Offer(
        effect=_("An answer that needs this tool waits."),
    ),
    (Capability.TOOL, SwitchAction.DEGRADE): Offer(
        effect=_("Each call of this tool is held until a person approves it."),
    ),
    (Capability.TOOL, SwitchAction.STOP): Offer(
        effect=_(
            "The model is not offered this tool; if it calls it all the same, it is told so and goes on."
        ),
    ),
    (Capability.VOICE_IN, SwitchAction.PAUSE): Offer(
        effect=_("Voice messages wait, and with them what was written beside them."),
    ),
    (Capability.VOICE_IN, SwitchAction.DEGRADE): Offer(
        effect=_("The model is told that a voice message came, and not what it says."),
    ),
    (Capability.VOICE_IN, SwitchAction.STOP): Offer(
        effect=_("Voice messages are not answered; their senders get the refusal reply."),
    ),
    (Capability.MEMORY, SwitchAction.DEGRADE): Offer(
        effect=_("The model reads no earlier messages; they are kept."),
    ),
}
"""Every switch there is. Nothing speaks yet, so there is none for voice out."""
