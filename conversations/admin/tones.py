"""How the states of this app look."""

from audit.staff.show import Tone, Tones
from conversations.models import AuthorKind, Delivery, Direction, Owner, SummaryStatus

DELIVERY: Tones = {
    Delivery.QUEUED: Tone.NEUTRAL,
    Delivery.SENDING: Tone.INFO,
    Delivery.UNKNOWN: Tone.WARNING,
    Delivery.SENT: Tone.INFO,
    Delivery.DELIVERED: Tone.SUCCESS,
    Delivery.READ: Tone.SUCCESS,
    Delivery.FAILED: Tone.DANGER,
    Delivery.WITHDRAWN: Tone.NEUTRAL,
}
DIRECTION: Tones = {Direction.IN: Tone.INFO, Direction.OUT: Tone.NEUTRAL}
AUTHOR: Tones = {
    AuthorKind.CONTACT: Tone.INFO,
    AuthorKind.AGENT: Tone.NEUTRAL,
    AuthorKind.PERSON: Tone.WARNING,
}
OWNER: Tones = {Owner.AGENT: Tone.NEUTRAL, Owner.PERSON: Tone.WARNING, Owner.PHONE: Tone.WARNING}
SUMMARY: Tones = {
    SummaryStatus.NONE: Tone.NEUTRAL,
    SummaryStatus.PENDING: Tone.INFO,
    SummaryStatus.WRITTEN: Tone.SUCCESS,
    SummaryStatus.FAILED: Tone.WARNING,
}
