"""The smallest JSON value that fits a JSON schema, with the model's reply where a reply belongs."""

from collections.abc import Mapping
from typing import Any

from pipeline.simulator.fields import JsonObject

REPLY_NAMES = ("text", "reply", "message", "content", "answer")
FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
DEEPEST = 12


class SchemaFiller:
    def __init__(self, root: JsonObject, reply: str) -> None:
        self._root = root
        self._reply = reply

    def fill(self) -> Any:
        return self._value(self._root, "", DEEPEST)

    def _value(self, schema: JsonObject, name: str, depth: int) -> Any:
        schema = self._resolved(schema, name)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "string":
            return self._string(schema, name)
        return _plain_value(schema, kind)

    def _object(self, schema: JsonObject, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = set(schema.get("required", ()))
        if depth <= 0:
            return {}
        return {
            name: self._value(each, name, depth - 1)
            for name, each in properties.items()
            if name in required or self._is_reply(each, name)
        }

    def _array(self, schema: JsonObject, name: str, depth: int) -> list[Any]:
        """As short as allowed, but one item where the items carry the reply."""
        items = schema.get("items") or {}
        carries = any(self._is_reply(each, key) for key, each in self._properties(items).items())
        length = max(int(schema.get("minItems", 0)), int(carries))
        return [self._value(items, name, depth - 1) for _ in range(length)] if depth > 0 else []

    def _string(self, schema: JsonObject, name: str) -> str:
        value = self._reply if name in REPLY_NAMES else FORMATS.get(str(schema.get("format")), "simulated")
        value = value.ljust(int(schema.get("minLength", 0)), ".")
        return value[: int(schema["maxLength"])] if "maxLength" in schema else value

    def _is_reply(self, schema: JsonObject, name: str) -> bool:
        return name in REPLY_NAMES and _kind(self._resolved(schema, name)) == "string"

    def _properties(self, schema: JsonObject) -> JsonObject:
        found = self._resolved(schema, "").get("properties", {})
        return found if isinstance(found, dict) else {}

    def _resolved(self, schema: JsonObject, name: str) -> JsonObject:
        """Follows $ref and takes one branch of a union: the string for a reply, else the first."""
        found: Any = schema
        for _ in range(DEEPEST):
            if not isinstance(found, dict):
                return {}
            if "$ref" in found:
                found = self._referred(str(found["$ref"]))
                continue
            branches = found.get("anyOf") or found.get("oneOf") or found.get("allOf")
            if not branches:
                return found
            texts = [each for each in branches if isinstance(each, Mapping) and each.get("type") == "string"]
            found = texts[0] if texts and name in REPLY_NAMES else branches[0]
        return {}

    def _referred(self, reference: str) -> JsonObject:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(step, {}) if step and isinstance(found, dict) else found
        return found if isinstance(found, dict) else {}


def _kind(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    return str(kind or ("object" if "properties" in schema else "null"))


def _plain_value(schema: JsonObject, kind: str) -> Any:
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    return None
