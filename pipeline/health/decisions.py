"""Why a failed try of a step was made again, or not: the retry policy's verdicts in words."""

from django.utils.translation import gettext_lazy as _

from audit.staff.show import Text, milliseconds
from pipeline.models import Step
from pipeline.policies.retries import Verdict

DECISIONS: dict[str, Text] = {
    Verdict.RETRY: _("Try %(attempt)d failed with %(code)s: tried again after %(wait)s."),
    Verdict.FINAL_ERROR: _(
        "Try %(attempt)d failed with %(code)s: not tried again, it would fail the same way."
    ),
    Verdict.NOT_IDEMPOTENT: _(
        "Try %(attempt)d failed with %(code)s: not tried again, it must not happen twice."
    ),
    Verdict.BREAKER_OPEN: _("Try %(attempt)d was not made (%(code)s): its breaker is open."),
    Verdict.ATTEMPTS_USED: _(
        "Try %(attempt)d failed with %(code)s: not tried again, it was the last one allowed."
    ),
    Verdict.TIME_USED: _("Try %(attempt)d failed with %(code)s: not tried again, no time was left for it."),
    Verdict.TURN_BUDGET_USED: _(
        "Try %(attempt)d failed with %(code)s: not tried again, the turn had used up its retries."
    ),
}


def decisions(step: Step) -> list[str]:
    """For each failed try of the step: what was decided, and why."""
    return [
        DECISIONS[decision["verdict"]]
        % {
            "attempt": decision["attempt"],
            "code": decision["error_code"],
            "wait": milliseconds(decision["wait_s"] * 1000),
        }
        for decision in step.decisions
    ]
