"""What the engine's codes mean, for people who did not write it."""

from django.utils.translation import gettext_lazy as _

from audit.staff.show import Text
from pipeline.models import Outcome
from pipeline.policies.errors import Code

CODES: dict[str, Text] = {
    Code.MODEL_CONNECTION: _("The model could not be reached."),
    Code.MODEL_TIMEOUT: _("The model did not answer in time."),
    Code.MODEL_RATE_LIMITED: _("The model's provider asked us to slow down."),
    Code.MODEL_SERVER: _("The model's provider had an error of its own."),
    Code.MODEL_CREDENTIALS: _("The model's provider refuses our key: check OPENAI_API_KEY."),
    Code.MODEL_QUOTA: _("The account at the model's provider is out of credit."),
    Code.MODEL_REQUEST: _("The model's provider rejected the request: check the agent's model and limits."),
    Code.MODEL_MALFORMED: _("The model's answer could not be read."),
    Code.MODEL_EMPTY: _("The model answered with nothing."),
    Code.MODEL_TRUNCATED: _("The model's answer was cut off: raise the agent's max output tokens."),
    Code.TOOL_UNKNOWN: _("The model asked for a tool that this agent may not use."),
    Code.TOOL_ARGUMENTS: _("The model called a tool with arguments that do not fit."),
    Code.TOOL_TIMEOUT: _("A tool did not finish in time."),
    Code.TOOL_FAILED: _("A tool failed."),
    Code.TOOL_ITERATIONS: _("The model kept calling tools until it ran out of turns to do so."),
    Code.SEND_CONNECTION: _("The platform could not be reached; nothing was sent."),
    Code.SEND_UNANSWERED: _("The platform's answer never came: the message may or may not have been sent."),
    Code.SEND_INTERRUPTED: _("The worker stopped while it sent: the message may or may not have been sent."),
    Code.SEND_RATE_LIMITED: _("The platform asked us to slow down."),
    Code.SEND_SERVER: _("The platform had an error of its own."),
    Code.SEND_CREDENTIALS: _("The platform refuses our credentials: check the channel."),
    Code.SEND_ACCOUNT: _("The account on the platform is restricted."),
    Code.SEND_RECIPIENT: _("The platform cannot reach this contact."),
    Code.SEND_WINDOW: _("The platform's window for free-form answers has closed."),
    Code.SEND_REQUEST: _("The platform rejected the message."),
    Code.SEND_FILE: _("The message's file cannot be read, or was deleted."),
    Code.SEND_REPORTED: _("The platform reported later that it could not deliver."),
    Code.SEND_OWNER_CHANGED: _("Somebody took over the conversation before it was sent."),
    Code.STEP_UNKNOWN: _("An effect was begun and nobody knows whether it happened: a person has to look."),
    Code.TURN_DEADLINE: _("The turn took longer than it may."),
    Code.PHASE_DEADLINE: _("One phase of the turn took longer than it may."),
    Code.TURN_KILLED_WORKER: _("The turn ended its worker again and again, so it was set aside."),
    Code.TURN_UNEXPECTED: _("Something unexpected happened: the detail is for developers."),
    Code.REVIEW_REQUIRED: _("The tool may only run with a person's approval."),
    Code.REVIEW_RULE: _("A risk rule of the agent holds it until a person has decided."),
    Code.REVIEW_SUPERVISED: _("The agent is supervised: a person reads its answers first."),
    Code.REVIEW_SWITCH: _("A switch lets this only through with a person's approval."),
    Code.REVIEW_SUPERSEDED: _("What it rested on changed before anybody decided."),
    Code.REVIEW_REJECTED: _("A person rejected one answer after the other."),
    Code.REVIEW_ANSWERED: _("A person answered in the agent's place."),
    Code.PERSON_ASKED: _("The agent called a person."),
    Code.TOOL_REFUSED: _("A person refused the call."),
    Code.TURN_OWNER_CHANGED: _("Somebody took over the conversation while the agent was answering."),
    Code.TAKEOVER_IDLE: _("Who took the conversation over fell silent."),
    Code.TURN_LEASE_LOST: _("Another worker took over the conversation."),
    Code.BREAKER_OPEN: _("It was not tried: the breaker is open, as the other side kept failing."),
    Code.SWITCH_PAUSED: _("A switch keeps it waiting."),
    Code.SWITCH_DEGRADED: _("A switch kept it from being done as usual."),
    Code.SWITCH_STOPPED: _("A switch stopped it."),
    Code.CONTACT_BLOCKED: _("The contact is on the blocklist."),
    Code.CONTACT_RATE_LIMITED: _("The contact wrote more in a minute than the agent answers."),
    Code.TENANT_OVERLOADED: _("The tenant had more messages waiting than its limit allows."),
    Code.CONVERSATION_OVERLOADED: _("The conversation had more messages waiting than its limit allows."),
    Code.EVENT_UNSUPPORTED: _("A kind of message that we do not handle."),
    Code.EVENT_NO_SENDER: _("The platform did not say who sent it."),
    Code.EVENT_UNKNOWN_NUMBER: _("It was meant for a number that is not one of ours."),
}
OUTCOMES: dict[str, Text] = {
    Outcome.REPLIED: _("An answer was written for it."),
    Outcome.MERGED: _("It was answered together with another message of the same burst."),
    Outcome.COMMAND: _("It was a command, and the engine carried it out."),
    Outcome.NEEDS_HUMAN: _("A person has to look at it."),
    Outcome.BLOCKED: _("The contact is blocked: no answer was written."),
    Outcome.RATE_LIMITED: _("The contact wrote more than the limit allows: no answer was written."),
    Outcome.SHED: _("There was more to do than could be done: it was put aside, and recorded."),
    Outcome.SILENCED: _("A policy chose not to answer."),
    Outcome.IGNORED: _("It is of a kind that we do not handle."),
    Outcome.FAILED: _("It could not be answered."),
    Outcome.EXPIRED: _("It waited for longer than an answer is worth."),
}


def of_code(code: str) -> str:
    """A sentence for the code; empty when there is none."""
    return str(CODES.get(code, ""))
