"""Which messages WhatsApp accepts, kind by kind, and the text each one shows."""

import re
from collections.abc import Callable
from typing import Any

from pipeline.simulator.fields import JsonObject
from pipeline.simulator.graph_errors import OUR_BUG, missing, refuse
from pipeline.simulator.media import MediaStore

TEXT_LIMIT = 4096
INTERACTIVE_TEXT_LIMIT = 1024
REFERENCE_LIMIT = 512
ADDRESS = re.compile(r"\+?[0-9]{5,15}|[A-Z]{2}\.[A-Za-z0-9]{5,128}")
MEDIA_KINDS = ("audio", "image", "document", "video", "sticker")

Check = Callable[[JsonObject], str]


def recipient(body: JsonObject) -> str:
    """The address as WhatsApp knows it: digits without the plus, or a business-scoped id."""
    to = body.get("to")
    if not to:
        raise missing("to")
    if not isinstance(to, str) or not ADDRESS.fullmatch(to):
        raise refuse(131009, "The parameter to is not a phone number.")
    return to.removeprefix("+")


def reference(body: JsonObject) -> str | None:
    value = body.get("biz_opaque_callback_data")
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > REFERENCE_LIMIT:
        raise refuse(
            OUR_BUG, f"biz_opaque_callback_data must be a string of at most {REFERENCE_LIMIT} characters."
        )
    return value


def shown_text(kind: str, body: JsonObject, media: MediaStore) -> str:
    """Checks the message's own part and tells what the recipient reads in it."""
    part = body.get(kind)
    if kind not in CHECKS and kind not in MEDIA_KINDS:
        raise refuse(131051, f"Message type {kind} is not supported.")
    if not isinstance(part, dict):
        raise missing(kind)
    return _media_text(kind, part, media) if kind in MEDIA_KINDS else CHECKS[kind](part)


def media_source(kind: str, body: JsonObject) -> str | None:
    """The id of an uploaded file, or the address of one."""
    return (body[kind].get("id") or body[kind].get("link")) if kind in MEDIA_KINDS else None


def _text(part: JsonObject) -> str:
    return _limited(_required(part, "text", "body"), "text.body", TEXT_LIMIT)


def _template(part: JsonObject) -> str:
    name = _required(part, "template", "name")
    language = part.get("language")
    if not isinstance(language, dict) or not language.get("code"):
        raise missing("template.language.code")
    return name


def _interactive(part: JsonObject) -> str:
    _required(part, "interactive", "type")
    if not isinstance(part.get("action"), dict):
        raise missing("interactive.action")
    body = part.get("body")
    if not isinstance(body, dict):
        raise missing("interactive.body")
    return _limited(
        _required(body, "interactive.body", "text"), "interactive.body.text", INTERACTIVE_TEXT_LIMIT
    )


def _reaction(part: JsonObject) -> str:
    """An empty emoji takes the reaction back."""
    _required(part, "reaction", "message_id")
    return str(part.get("emoji") or "")


CHECKS: dict[str, Check] = {
    "text": _text,
    "template": _template,
    "interactive": _interactive,
    "reaction": _reaction,
}


def _media_text(kind: str, part: JsonObject, store: MediaStore) -> str:
    known = None
    if "id" in part:
        known = store.find(str(part["id"]))
        if known is None:
            raise refuse(OUR_BUG, f"{kind}.id is not a media id of this phone number.", subcode=33)
    elif not isinstance(part.get("link"), str):
        raise missing(f"{kind}.id or {kind}.link")
    return str(part.get("caption") or part.get("filename") or (known.spoken if known else ""))


def _required(part: JsonObject, path: str, name: str) -> str:
    value: Any = part.get(name)
    if value is None:
        raise missing(f"{path}.{name}")
    if not isinstance(value, str) or not value:
        raise refuse(OUR_BUG, f"{path}['{name}'] must be a non-empty string.")
    return value


def _limited(text: str, path: str, limit: int) -> str:
    if len(text) > limit:
        raise refuse(OUR_BUG, f"{path} may be at most {limit} characters long.")
    return text
