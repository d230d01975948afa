"""Summaries of closed sessions: written by the model when it has time, tried again while it is down."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from conversations import sessions
from conversations.models import Direction, Message, Session, SummaryStatus
from pipeline.engine.database import in_database
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import PermanentError, PipelineError
from pipeline.ports import ChatMessage, CompletionRequest, Role
from pipeline.wiring import World, open_world

BATCH = 20
WITHIN_S = 120.0
"""All of a call together: it is the end of a task of the queue, which is cut off after 400 s (Q_CLUSTER)."""
MAX_LINES = 200
INSTRUCTIONS = (
    "Sum up this conversation between a contact and an agent in at most three sentences, in its language."
)
NOTHING_SAID = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    session_id: int
    model: str
    lines: tuple[str, ...]


def write_pending() -> int:
    """Sum up sessions that were closed, oldest first. The number written; the rest is tried again by the next call."""
    return asyncio.run(_write_pending())


async def _write_pending() -> int:
    """A model that does not answer now is not asked for another, and holds up no other."""
    written, away = 0, set[str]()
    async with open_world() as world:
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                for _ in range(BATCH):
                    transcript = await in_database(_oldest_pending, frozenset(away))
                    if transcript is None:
                        break
                    if await _write(transcript, world):
                        written += 1
                    else:
                        away.add(transcript.model)
    return written


async def _write(transcript: Transcript, world: World) -> bool:
    """False when its model does not answer now."""
    try:
        text, status = await _summary(transcript, world), SummaryStatus.WRITTEN
    except PermanentError:
        text, status = NOTHING_SAID, SummaryStatus.FAILED
    except (PipelineError, TimeoutError):
        return False
    await in_database(sessions.write_summary, session_id=transcript.session_id, summary=text, status=status)
    return True


async def _summary(transcript: Transcript, world: World) -> str:
    if not transcript.lines:
        return NOTHING_SAID
    request = CompletionRequest(
        model=transcript.model,
        messages=(
            ChatMessage(role=Role.SYSTEM, content=INSTRUCTIONS),
            ChatMessage(role=Role.USER, content="\n".join(transcript.lines)),
        ),
        tools=(),
        temperature=0.0,
        max_output_tokens=300,
    )
    async with (
        world.gate.admit(Call.SUMMARY, f"model:{transcript.model}"),
        asyncio.timeout(CALLS[Call.SUMMARY].attempt_s),
    ):
        return (await world.model.complete(request)).text


def _oldest_pending(away: Collection[str]) -> Transcript | None:
    pending = Session.objects.filter(summary_status=SummaryStatus.PENDING)
    askable = pending.exclude(conversation__channel__agent__model__in=away)
    session = askable.select_related("conversation__channel__agent").order_by("pk").first()
    if session is None:
        return None
    return Transcript(session.pk, session.conversation.channel.agent.model, _lines(session))


def _lines(session: Session) -> tuple[str, ...]:
    said = Message.objects.filter(session=session).order_by("-pk").values_list("direction", "kind", "text")
    return tuple(
        f"{'contact' if direction == Direction.IN else 'agent'}: {text or f'[{kind}]'}"
        for direction, kind, text in reversed(said[:MAX_LINES])
    )
