"""Whether each message that was accepted was answered once: by the ledger and by what the platform took."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bench.stage import Stage

LEDGER = """
SELECT count(*) AS events, count(*) FILTER (WHERE outcome = 'replied') AS replied
FROM pipeline_processedevent WHERE received_at > to_timestamp(%s)
"""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """`lost` messages have no answer, `doubled` more than one; `at`: when the platform took each one's answer."""

    lost: int
    doubled: int
    at: Mapping[str, float]


def reckon(here: Stage, texts: Collection[str], *, since: float) -> Reckoning:
    """`texts` are all that was accepted since then (unix seconds; the simulator was reset there), no two alike."""
    replies = here.accepted()
    answers = Counter(_quoted(reply["text"]) for reply in replies)
    (ledger,) = here.system.rows(LEDGER, since)
    missing = sum(1 for text in texts if not answers[text])
    uncounted = max(len(texts) - ledger["replied"], ledger["events"] - ledger["replied"], 0)
    surplus = sum(number - 1 for number in answers.values() if number > 1)
    unasked = len(answers.keys() - set(texts))
    return Reckoning(
        lost=max(missing, uncounted),
        doubled=surplus + unasked + max(0, ledger["events"] - len(texts)),
        at={_quoted(reply["text"]): reply["at"] for reply in replies},
    )


def _quoted(reply: str) -> str:
    """The simulated model repeats what was written to it."""
    return reply.partition("“")[2].partition("”")[0]
