from dataclasses import replace
from uuid import uuid5

from pipeline.phases.state import Draft, TurnState
from pipeline.ports import Ports

MAX_TEXT_LENGTH = 4096
"""The limit of WhatsApp and of Telegram alike."""


async def response_finalize(state: TurnState, ports: Ports) -> TurnState:
    """The replies as they will be sent: within the platforms' limit, keyed so that committing twice is once."""
    parts = [part for reply in state.replies or () for part in split(reply)]
    turn_id = state.input.turn_id
    drafts = [Draft(uuid5(turn_id, f"reply:{n}"), part, state.author_id) for n, part in enumerate(parts)]
    return replace(state, drafts=tuple(drafts))


def split(text: str, limit: int = MAX_TEXT_LENGTH) -> list[str]:
    """Parts of at most `limit` characters, cut at the last line break or space where there is one."""
    rest = text.replace("\x00", "").strip()
    parts: list[str] = []
    while len(rest) > limit:
        cut = max(rest.rfind("\n", 1, limit), rest.rfind(" ", 1, limit))
        cut = cut if cut > 0 else limit
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*parts, rest] if rest else parts
