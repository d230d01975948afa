"""Every address of the site, filled with ids of given records. New ones are found by themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from conversations.models import CannedReply, Channel, Conversation
from pipeline.models import ApiKey, BlocklistEntry, ProcessedEvent
from review.models import ReviewItem
from tests.access.world import Records

SHORT_NAMES: dict[str, type[Model]] = {
    "entry": BlocklistEntry,
    "event": ProcessedEvent,
    "item": ReviewItem,
    "key": ApiKey,
    "reply": CannedReply,
}
"""What addresses call a model whose name is longer."""
UNNAMED = ("object_id", "version_id")
"""What simple-history's own addresses stand for, in their order."""
PLACEHOLDER = re.compile(r"<(?:[^>:]+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)|\([^)]*\)")


@dataclass(frozen=True, kw_only=True)
class Address:
    """`is_of_record`: whether it names one. `model`: whose pages in the admin it belongs to."""

    path: str
    name: str
    is_of_record: bool
    model: type[Model] | None

    def __str__(self) -> str:
        return f"/{self.path} ({self.name or 'no name'})"


def addresses(records: Records) -> list[Address]:
    return list(_walk(get_resolver("zupa_site.urls").url_patterns, "", None, records))


def _walk(patterns: Any, prefix: str, model: type[Model] | None, records: Records) -> Iterator[Address]:
    for pattern in patterns:
        route = str(pattern.pattern)
        path = prefix + filled(pattern, model, records)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path, _model_of(route) or model, records)
        elif isinstance(pattern, URLPattern):
            is_of_record = bool(set(_names(route)) - {"app_label", "url"})
            yield Address(path=path, name=str(pattern.name or ""), is_of_record=is_of_record, model=model)


def _model_of(route: str) -> type[Model] | None:
    """Whose pages an admin's resolver leads to."""
    app, _slash, model = route.strip("/").partition("/")
    try:
        return apps.get_model(app, model)
    except LookupError:
        return None


def _names(route: str) -> list[str]:
    unnamed = iter(UNNAMED)
    return [one or other or next(unnamed) for one, other in PLACEHOLDER.findall(route)]


def filled(pattern: URLPattern | URLResolver, model: type[Model] | None, records: Records) -> str:
    route = str(pattern.pattern)
    for name in _names(route):
        value = str(sample(name, model, records, route)).replace("\\", "")
        route = PLACEHOLDER.sub(lambda _match, value=value: value, route, count=1)  # type: ignore[misc]
    return route.removeprefix("^").removesuffix("$") if isinstance(pattern.pattern, RegexPattern) else route


def sample(name: str, model: type[Model] | None, records: Records, route: str) -> Any:
    """What stands for a parameter of an address."""
    if name == "version_id":
        return records[_known(model, records, route)].history.first().history_id
    if name in ("object_id", "id"):
        return quote(records[_known(model or Conversation, records, route)].pk)
    fixed = {"app_label": "conversations", "url": "nowhere", "token": "forged", "slug": records[Channel].slug}
    if name == "content_type_id":
        return ContentType.objects.get_for_model(Conversation).pk
    if name in fixed:
        return fixed[name]
    stem = name.removesuffix("_id")
    named = {each._meta.model_name: each for each in records} | SHORT_NAMES
    if stem in named:
        return records[named[stem]].pk
    pytest.fail(
        f"The address {route} has a parameter {name} that these tests cannot fill. Say in tests/access/addresses.py "
        "what stands for it: in `SHORT_NAMES` which model it is the id of, or else in `sample`."
    )


def _known(model: type[Model] | None, records: Records, route: str) -> type[Model]:
    if model in records:
        return model
    pytest.fail(
        f"No record of {model and model.__name__} is there to ask {route} for: make one in tests/access/world.py, "
        "in `customer` if it belongs to a tenant, in `machine` if not, with the mark in its texts."
    )


class _Inputs(HTMLParser):
    """What a browser would send of a page's forms."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[str, list[str]] = {}
        self.actions: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        name = given.get("name", "")
        if tag in ("select", "textarea"):
            self._within = name
        elif tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.data.setdefault(name, []).append(given.get("value", ""))
        elif tag == "option" and self._within == "action":
            self.actions.append(given.get("value", ""))
        elif tag == "option" and "selected" in given:
            self.data.setdefault(self._within, []).append(given.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._within and self._within not in self.data and data.strip():
            self.data[self._within] = [data]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self._within = ""


CONFIRMED = {"confirmed": "yes", "post": "yes", "reason": "because", "text": "hello"}


def bodies(root: Client, address: Address, records: Records) -> Iterator[dict[str, Any]]:
    """What somebody with every right could send there: the page's forms as they stand, and a list's actions."""
    response = root.get(f"/{address.path}")
    inputs = _Inputs()
    if response.status_code == 200 and not response.streaming and "html" in response.headers["Content-Type"]:
        inputs.feed(response.content.decode())
    yield inputs.data | CONFIRMED
    for action in filter(None, inputs.actions):
        assert address.model is not None
        yield {"action": action, "_selected_action": [records[address.model].pk]} | CONFIRMED
