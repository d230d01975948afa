"""The way of a turn, in order. The dedupe gate came before: it is the ledger's fence at ingress."""

from pipeline.phases.access_policy import access_policy
from pipeline.phases.agentic_loop import agentic_loop
from pipeline.phases.command_dispatch import command_dispatch
from pipeline.phases.content_resolution import content_resolution
from pipeline.phases.context_assembly import context_assembly
from pipeline.phases.contract import Phase
from pipeline.phases.persistence import persistence
from pipeline.phases.prompt_build import prompt_build
from pipeline.phases.response_finalize import response_finalize
from pipeline.phases.session_attach import session_attach
from pipeline.phases.telemetry_emit import telemetry_emit
from pipeline.policies.deadlines import DEADLINES

PHASES = (
    Phase(access_policy, provides=("access",)),
    Phase(session_attach, requires=("access",), provides=("session",)),
    Phase(command_dispatch, requires=("session",), provides=("command",)),
    Phase(content_resolution, provides=("content",)),
    Phase(context_assembly, requires=("session",), provides=("context",)),
    Phase(prompt_build, requires=("content", "context"), provides=("prompt",)),
    Phase(agentic_loop, requires=("prompt",), provides=("replies", "decision"), deadline_s=DEADLINES.loop_s),
)
"""Run until one of them decides the outcome."""

CLOSING_PHASES = (
    Phase(response_finalize, requires=("decision", "session"), provides=("drafts",)),
    Phase(persistence, requires=("drafts",), provides=("committed",), deadline_s=DEADLINES.commit_s),
    Phase(telemetry_emit, requires=("committed",)),
)
"""Run for every turn, whatever was decided and whatever failed."""

__all__ = ["CLOSING_PHASES", "PHASES", "Phase"]
