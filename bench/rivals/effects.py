"""The turn's four effects, the same for every rival: the SDK for the model, one pooled client for the sends."""

import json
from typing import Any

import httpx2
from openai import AsyncOpenAI, OpenAI

from bench.rivals.surroundings import Message, Surroundings

Json = dict[str, Any]

PROMPT = "You answer the customers of a shop."
MODEL = "gpt-5-mini"
TOOL: Json = {
    "type": "function",
    "function": {
        "name": "order_status",
        "description": "Where an order is now. Ask the customer for the order number first.",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
            "additionalProperties": False,
        },
    },
}
TIMEOUT_S = 20.0


def first(message: Message) -> list[Json]:
    return [{"role": "system", "content": PROMPT}, {"role": "user", "content": message.text}]


def call_tools(asked: Json) -> list[Json]:
    """The results of all calls in the model's message."""
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": _order_status(**_arguments(call))}
        for call in asked["tool_calls"]
    ]


def _arguments(call: Json) -> dict[str, str]:
    arguments: dict[str, str] = json.loads(call["function"]["arguments"])
    return arguments


def _order_status(order_id: str) -> str:
    return f"Order {order_id} is on its way."


class Effects:
    def __init__(self, around: Surroundings) -> None:
        self._model = AsyncOpenAI(
            base_url=around.model_url, api_key="rival", max_retries=0, timeout=TIMEOUT_S
        )
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=50)
        self._platform = httpx2.AsyncClient(timeout=TIMEOUT_S, limits=limits)
        self._send_url = around.send_url

    async def ask(self, messages: list[Json]) -> Json:
        answer = await self._model.chat.completions.create(**_question(messages))
        return _said(answer)

    async def send(self, to: str, text: str) -> str:
        return _sent(await self._platform.post(self._send_url, json=_body(to, text), headers=HEADERS))


class SyncEffects:
    def __init__(self, around: Surroundings) -> None:
        self._model = OpenAI(base_url=around.model_url, api_key="rival", max_retries=0, timeout=TIMEOUT_S)
        self._platform = httpx2.Client(timeout=TIMEOUT_S)
        self._send_url = around.send_url

    def ask(self, messages: list[Json]) -> Json:
        return _said(self._model.chat.completions.create(**_question(messages)))

    def send(self, to: str, text: str) -> str:
        return _sent(self._platform.post(self._send_url, json=_body(to, text), headers=HEADERS))


HEADERS = {"Authorization": "Bearer rival"}


def _question(messages: list[Json]) -> Json:
    return {"model": MODEL, "messages": messages, "tools": [TOOL]}


def _said(answer: Any) -> Json:
    said: Json = answer.choices[0].message.model_dump(
        include={"role", "content", "tool_calls"}, exclude_none=True
    )
    return said


def _body(to: str, text: str) -> Json:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": "text",
        "text": {"body": text},
    }


def _sent(response: httpx2.Response) -> str:
    provider_id: str = response.raise_for_status().json()["messages"][0]["id"]
    return provider_id
