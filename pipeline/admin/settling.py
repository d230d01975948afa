"""What is to become of a send whose answer was lost."""

from datetime import datetime

from django.utils.translation import gettext as _

from audit.staff.show import ago
from conversations.models import Channel, Delivery, Message, UnknownPolicy
from pipeline.queries import SENT_AGAIN_WITHIN
from pipeline.transports.registry import IDEMPOTENT_KINDS


def settling(message: Message, now: datetime) -> str:
    """For a send of unknown fate: until when a status may settle it, and what happens then."""
    if message.delivery != Delivery.UNKNOWN:
        return ""
    resends = is_sent_again_by_itself(message.channel) and message.created_at > now - SENT_AGAIN_WITHIN
    if message.settles_until > now:
        then = (
            _("After that it is sent again by itself, by the channel's policy.")
            if resends
            else _("After that it is held for a person, by the channel's policy.")
        )
        until = _("The platform may still tell, %(when)s at the latest.")
        return f"{until % {'when': ago(message.settles_until, now)}} {then}"
    if resends:
        return _("The platform did not tell in time: it is sent again by itself within minutes.")
    return _("The platform did not tell in time: it waits for a person to decide.")


def is_sent_again_by_itself(channel: Channel) -> bool:
    """Whatever the policy says, a platform that does not drop repeats is never sent one without a person."""
    return channel.unknown_policy == UnknownPolicy.RESEND and channel.kind in IDEMPOTENT_KINDS
