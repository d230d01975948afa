"""The SDK for people who write agents. Put tools into a module `agent_tools` of any installed app:

from pipeline.agents import ToolContext, tool

@tool(timeout_s=5, idempotent=True)
def order_status(order_id: str) -> str:
    \"""Look up where an order is.\"""
"""

from pipeline.agents.registry import registry
from pipeline.agents.tools import Tool, ToolContext, tool

__all__ = ["Tool", "ToolContext", "registry", "tool"]
