"""What an entry says, as a sentence: who did what, to what, and why. Each action of the code base has its own."""

import uuid

from django.core.exceptions import FieldDoesNotExist
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import ActorKind, AuditEntry
from audit.records import audited
from audit.staff.show import Text

SENTENCES: dict[str, Text] = {
    "account.added": gettext_lazy("%(actor)s added %(object)s"),
    "account.changed": gettext_lazy("%(actor)s changed %(fields)s of %(object)s"),
    "account.deleted": gettext_lazy("%(actor)s deleted %(object)s"),
    "agent.added": gettext_lazy("%(actor)s added %(object)s"),
    "agent.changed": gettext_lazy("%(actor)s changed %(fields)s of %(object)s"),
    "agent.deleted": gettext_lazy("%(actor)s deleted %(object)s"),
    "api_key.created": gettext_lazy("%(actor)s created %(object)s"),
    "api_key.revoked": gettext_lazy("%(actor)s revoked %(object)s"),
    "audit.exported": gettext_lazy("%(actor)s exported audit entries"),
    "blocklist.added": gettext_lazy("%(actor)s added %(object)s"),
    "blocklist.ended": gettext_lazy("%(actor)s ended %(object)s"),
    "breaker.closed": gettext_lazy("%(actor)s closed %(object)s, calls go through again"),
    "breaker.half_open": gettext_lazy("%(actor)s let a trial call through %(object)s"),
    "breaker.open": gettext_lazy("%(actor)s opened %(object)s, nothing is called for now"),
    "cannedreply.added": gettext_lazy("%(actor)s added %(object)s"),
    "cannedreply.changed": gettext_lazy("%(actor)s changed %(fields)s of %(object)s"),
    "cannedreply.deleted": gettext_lazy("%(actor)s deleted %(object)s"),
    "channel.added": gettext_lazy("%(actor)s added %(object)s"),
    "channel.changed": gettext_lazy("%(actor)s changed %(fields)s of %(object)s"),
    "channel.deleted": gettext_lazy("%(actor)s deleted %(object)s"),
    "channel.paused": gettext_lazy("%(actor)s paused %(object)s, its messages wait"),
    "channel.resumed": gettext_lazy("%(actor)s resumed %(object)s"),
    "conversation.handed_back": gettext_lazy("%(actor)s handed %(object)s back to the agent"),
    "conversation.idle": gettext_lazy("%(actor)s asks for somebody else to take over %(object)s"),
    "conversation.read": gettext_lazy("%(actor)s read %(object)s"),
    "conversation.taken_by_phone": gettext_lazy(
        "%(actor)s noticed a reply by hand on the phone, which took over %(object)s"
    ),
    "conversation.taken_over": gettext_lazy("%(actor)s took over %(object)s"),
    "demo.seeded": gettext_lazy("%(actor)s set up the demo as %(object)s"),
    "event.conflict": gettext_lazy("%(object)s came again with different content"),
    "event.merged": gettext_lazy("%(actor)s took %(object)s together with a later message of its burst"),
    "event.read": gettext_lazy("%(actor)s read %(object)s"),
    "event.requeued": gettext_lazy("%(actor)s requeued %(object)s"),
    "incident.closed": gettext_lazy("%(actor)s closed %(object)s"),
    "incident.opened": gettext_lazy("%(actor)s opened %(object)s"),
    "intake.blocked": gettext_lazy("%(actor)s kept %(count)s messages of blocked contacts from %(object)s"),
    "intake.ignored": gettext_lazy("%(actor)s ignored %(count)s events on %(object)s"),
    "intake.shed": gettext_lazy(
        "%(actor)s shed %(count)s messages on %(object)s, as more came than could wait"
    ),
    "intake.silenced": gettext_lazy("%(actor)s left %(count)s messages on %(object)s unanswered"),
    "login.ended": gettext_lazy("%(actor)s logged out"),
    "login.failed": gettext_lazy("Somebody failed to log in as %(object)s"),
    "login.succeeded": gettext_lazy("%(actor)s logged in"),
    "group.added": gettext_lazy("%(actor)s added %(object)s"),
    "group.changed": gettext_lazy("%(actor)s changed %(fields)s of %(object)s"),
    "group.deleted": gettext_lazy("%(actor)s deleted %(object)s"),
    "message.failed": gettext_lazy("%(actor)s gave up sending %(object)s"),
    "message.marked_delivered": gettext_lazy("%(actor)s marked %(object)s as delivered"),
    "message.read": gettext_lazy("%(actor)s read %(object)s"),
    "message.resent": gettext_lazy("%(actor)s sent %(object)s again, as no status had settled it"),
    "message.retried": gettext_lazy("%(actor)s will try once more to send %(object)s"),
    "message.searched": gettext_lazy(
        "%(actor)s looked for “%(name)s” in what was said, and found %(count)s messages"
    ),
    "message.sent_again": gettext_lazy("%(actor)s had %(object)s sent again"),
    "message.unknown": gettext_lazy("%(actor)s does not know whether %(object)s was sent"),
    "message.withdrawn": gettext_lazy("%(actor)s withdrew %(object)s before it was sent"),
    "password.changed": gettext_lazy("%(actor)s changed their own password"),
    "message.written": gettext_lazy("%(actor)s wrote %(object)s to the contact"),
    "note.read": gettext_lazy("%(actor)s read %(object)s"),
    "note.searched": gettext_lazy("%(actor)s looked for “%(name)s” in notes, and found %(count)s of them"),
    "note.written": gettext_lazy("%(actor)s wrote %(object)s"),
    "review_item.answer": gettext_lazy("%(actor)s answered in the agent's place, on %(object)s"),
    "review_item.approve": gettext_lazy("%(actor)s approved %(object)s"),
    "review_item.claimed": gettext_lazy("%(actor)s claimed %(object)s"),
    "review_item.dismiss": gettext_lazy("%(actor)s dismissed %(object)s"),
    "review_item.edit": gettext_lazy("%(actor)s approved %(object)s with changes"),
    "review_item.expired": gettext_lazy("%(object)s expired, and the agent's default was carried out"),
    "review_item.exported": gettext_lazy("%(actor)s exported decided cases"),
    "review_item.mark_delivered": gettext_lazy("%(actor)s settled %(object)s: the answer was delivered"),
    "review_item.reject": gettext_lazy("%(actor)s rejected %(object)s"),
    "review_item.released": gettext_lazy("%(actor)s left %(object)s to others"),
    "review_item.requeue": gettext_lazy("%(actor)s had %(object)s tried again"),
    "review_item.send_again": gettext_lazy("%(actor)s settled %(object)s: the answer is sent again"),
    "review_item.settled": gettext_lazy(
        "%(actor)s closed %(object)s, as nobody has to decide on it any more"
    ),
    "review_item.superseded": gettext_lazy("%(actor)s closed %(object)s, as what it rested on has changed"),
    "review_item.take_over": gettext_lazy("%(actor)s took the conversation over, on %(object)s"),
    "session.closed": gettext_lazy("%(actor)s ended %(object)s"),
    "switch.approved": gettext_lazy("%(actor)s approved %(object)s, it is in force"),
    "switch.expired": gettext_lazy("%(actor)s ended %(object)s, as its time was up"),
    "switch.lifted": gettext_lazy("%(actor)s lifted %(object)s"),
    "switch.refused": gettext_lazy("%(actor)s refused %(object)s, it never came into force"),
    "switch.requested": gettext_lazy("%(actor)s asked for %(object)s, it waits for a second person"),
    "switch.set": gettext_lazy("%(actor)s set %(object)s"),
    "session.read": gettext_lazy("%(actor)s read %(object)s"),
    "step.given_up": gettext_lazy("%(actor)s did not try %(name)s again in %(object)s"),
    "step.read": gettext_lazy("%(actor)s read %(object)s"),
    "step.retried": gettext_lazy("%(actor)s tried %(name)s again in %(object)s"),
    "staff_scope.lifted": gettext_lazy("%(actor)s lifted %(object)s: its user sees all tenants again"),
    "staff_scope.narrowed": gettext_lazy("%(actor)s set which tenants %(object)s shows"),
    "tenant.added": gettext_lazy("%(actor)s added %(object)s"),
    "tenant.changed": gettext_lazy("%(actor)s changed %(fields)s of %(object)s"),
    "tenant.deleted": gettext_lazy("%(actor)s deleted %(object)s"),
    "tool.called": gettext_lazy("%(actor)s called the tool %(name)s in %(object)s"),
    "tool.refused": gettext_lazy("%(actor)s was kept from calling the tool %(name)s in %(object)s"),
    "turn.blocked": gettext_lazy("%(actor)s did not answer %(object)s, as the contact is blocked"),
    "turn.command": gettext_lazy("%(actor)s carried out a command in %(object)s"),
    "turn.degraded": gettext_lazy("%(actor)s answered %(object)s by lesser means"),
    "turn.expired": gettext_lazy("%(actor)s let %(object)s go, as it had waited too long"),
    "turn.failed": gettext_lazy("%(actor)s could not answer %(object)s"),
    "turn.ignored": gettext_lazy("%(actor)s ignored %(object)s, a kind that is not handled"),
    "turn.merged": gettext_lazy("%(actor)s answered %(object)s together with another message"),
    "turn.needs_human": gettext_lazy("%(actor)s left %(object)s to a person"),
    "turn.paused": gettext_lazy("%(actor)s set %(object)s aside until a switch is lifted"),
    "turn.postponed": gettext_lazy("%(actor)s set %(object)s aside until its model answers again"),
    "turn.rate_limited": gettext_lazy("%(actor)s did not answer %(object)s, as the contact writes too fast"),
    "turn.read": gettext_lazy("%(actor)s read %(object)s"),
    "turn.replied": gettext_lazy("%(actor)s answered %(object)s"),
    "turn.started_over": gettext_lazy("%(actor)s began %(object)s anew, as its context had changed"),
    "turn.suspended": gettext_lazy("%(actor)s set %(object)s aside until a person decides"),
    "turn.shed": gettext_lazy("%(actor)s put %(object)s aside, as there was more to do than could be done"),
    "turn.silenced": gettext_lazy("%(actor)s chose not to answer %(object)s"),
}
"""By action. Known in them: actor, object, fields (those that were changed), and of the details name and count."""

FALLBACK: Text = gettext_lazy("%(actor)s did “%(action)s” to %(object)s")

OBJECTS: dict[str, Text] = {
    "account": gettext_lazy("user account %(id)s"),
    "agent": gettext_lazy("agent %(id)s"),
    "api_key": gettext_lazy("API key %(id)s"),
    "blocklist_entry": gettext_lazy("blocklist entry %(id)s"),
    "breaker": gettext_lazy("breaker %(id)s"),
    "cannedreply": gettext_lazy("canned reply %(id)s"),
    "channel": gettext_lazy("channel %(id)s"),
    "contact": gettext_lazy("contact %(id)s"),
    "conversation": gettext_lazy("conversation %(id)s"),
    "event": gettext_lazy("event %(id)s"),
    "incident": gettext_lazy("incident %(id)s"),
    "group": gettext_lazy("group %(id)s"),
    "message": gettext_lazy("message %(id)s"),
    "note": gettext_lazy("note %(id)s"),
    "review_item": gettext_lazy("review item %(id)s"),
    "session": gettext_lazy("session %(id)s"),
    "switch": gettext_lazy("switch %(id)s"),
    "step": gettext_lazy("step %(id)s"),
    "staff_scope": gettext_lazy("staff scope %(id)s"),
    "tenant": gettext_lazy("tenant %(id)s"),
    "turn": gettext_lazy("turn %(id)s"),
}


def sentence(entry: AuditEntry) -> str:
    """With its reason after a colon, where there is one."""
    said = str(SENTENCES.get(entry.action, FALLBACK)) % {
        "actor": actor_name(entry),
        "action": entry.action,
        "object": object_name(entry.object_type, entry.object_id),
        "name": entry.details.get("name", ""),
        "count": entry.details.get("count", ""),
        "fields": get_text_list([_label(entry, name) for name in entry.details.get("fields", ())], _("and")),
    }
    said = said[:1].upper() + said[1:] if not entry.actor else said
    return (
        _("%(sentence)s: %(reason)s") % {"sentence": said, "reason": entry.reason} if entry.reason else said
    )


def _label(entry: AuditEntry, name: str) -> str:
    """What people call a field; of a secret, also which of its keys."""
    field, _dot, key = name.partition(".")
    model = audited().get(entry.object_type)
    try:
        label = str(model._meta.get_field(field).verbose_name) if model else field  # type: ignore[union-attr]
    except FieldDoesNotExist:  # of another time
        label = field
    return f"{label} ({key})" if key else label


def actor_name(entry: AuditEntry) -> str:
    if entry.actor_kind == ActorKind.AGENT:
        return _("%(name)s (agent)") % {"name": entry.actor}
    if entry.actor_kind == ActorKind.CONTACT:
        return _("%(name)s (contact)") % {"name": entry.actor}
    return entry.actor or _("the engine")


def object_name(object_type: str, object_id: str) -> str:
    known = OBJECTS.get(object_type)
    number = short(object_id)
    return str(known) % {"id": number} if known else f"{object_type.replace('_', ' ')} {number}".strip()


def short(identifier: str) -> str:
    """A UUID by its first part: that is how pages call it."""
    try:
        return str(uuid.UUID(identifier)).split("-", maxsplit=1)[0]
    except ValueError:
        return identifier
