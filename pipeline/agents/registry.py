"""Every tool that the installed apps offer, by name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.module_loading import autodiscover_modules

if TYPE_CHECKING:
    from pipeline.agents.tools import Tool


class Registry:
    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def add(self, tool: Tool) -> None:
        """Raises `ValueError` when another function already has the name."""
        known = self._tools.get(tool.name)
        if known and known.function.__module__ != tool.function.__module__:
            raise ValueError(f"Two tools are called {tool.name}: rename one of them.")
        self._tools[tool.name] = tool

    @cached_property
    def _discovered(self) -> dict[str, Tool]:
        autodiscover_modules("agent_tools")
        return self._tools

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._discovered))

    def get(self, name: str) -> Tool | None:
        return self._discovered.get(name)

    def select(self, names: Iterable[str]) -> tuple[Tool, ...]:
        """The named tools that exist, in the order named."""
        return tuple(self._discovered[name] for name in names if name in self._discovered)


registry = Registry()
