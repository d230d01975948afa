"""Summaries of closed sessions: written by the model when it has time, tried again while it is down."""

import asyncio
from dataclasses import dataclass

from conversations import sessions
from conversations.models import Direction, Message, Session, SummaryStatus
from pipeline.engine.database import in_database
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import PermanentError, PipelineError
from pipeline.ports import ChatMessage, CompletionRequest, Role
from pipeline.wiring import World, open_world

BATCH = 20
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
    written = 0
    async with open_world() as world:
        for transcript in await in_database(_pending):
            if not await _write(transcript, world):
                break
            written += 1
    return written


async def _write(transcript: Transcript, world: World) -> bool:
    """False when the model does not answer now, so that it is no use to go on."""
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


def _pending() -> list[Transcript]:
    pending = Session.objects.filter(summary_status=SummaryStatus.PENDING).order_by("pk")
    return [
        Transcript(session.pk, session.conversation.channel.agent.model, _lines(session))
        for session in pending.select_related("conversation__channel__agent")[:BATCH]
    ]


def _lines(session: Session) -> tuple[str, ...]:
    said = Message.objects.filter(session=session).order_by("-pk").values_list("direction", "kind", "text")
    return tuple(
        f"{'contact' if direction == Direction.IN else 'agent'}: {text or f'[{kind}]'}"
        for direction, kind, text in reversed(said[:MAX_LINES])
    )
