"""What to do on an installation that has seen no message yet."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from audit.staff.base import EmptyState
from audit.staff.show import list_address
from conversations.models import Channel


def first_message_hint() -> EmptyState:
    if settings.ZUPA.production:
        return EmptyState(
            title=_("No message has come in yet"),
            text=_("Point a platform's webhook here: each channel's page shows its address."),
            address=list_address(Channel),
            action=_("See the channels"),
        )
    return EmptyState(
        title=_("No message has come in yet"),
        text=_("Send one from the phone page of the simulator, or point a platform's webhook at a channel."),
        address=f"{settings.ZUPA.simulator_url}/",
        action=_("Open the phone page"),
    )
