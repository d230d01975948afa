"""What the simulator's tests act through: a client of the outside world, and Zupa's side of the webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from aiohttp import web

APP_SECRET = "the-app-secret"
KEY = b"0123456789abcdef01234567"
SIGNING_SECRET = "whsec_" + base64.b64encode(KEY).decode()
HMAC_KEY = "the-hmac-key"
PHONE_NUMBER_ID = "1001"
BEARER = {"Authorization": "Bearer token"}
Json = dict[str, Any]


def channels_at(url: str) -> list[Json]:
    return [
        {
            "slug": "whatsapp-demo",
            "kind": "whatsapp_cloud",
            "webhook_url": f"{url}/whatsapp",
            "verify_token": "verify",
            "app_secret": APP_SECRET,
            "phone_number_id": PHONE_NUMBER_ID,
        },
        {"slug": "http-demo", "kind": "http", "webhook_url": f"{url}/http", "signing_secret": SIGNING_SECRET},
        {"slug": "waha-demo", "kind": "waha", "webhook_url": f"{url}/waha", "hmac_key": HMAC_KEY},
        {"slug": "telegram-demo", "kind": "telegram", "webhook_url": f"{url}/telegram", "secret_token": "s"},
    ]


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Zupa:
    """Records every webhook; answers with `answers` one by one, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{channel}", self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        with self.lock:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.received.append(Received(request.path, headers, raw))
            status = self.answers.pop(0) if self.answers else 200
        return web.json_response({"accepted": 1}, status=status)

    def statuses(self) -> list[Json]:
        bodies = [each.body for each in list(self.received) if each.path == "/whatsapp"]
        values = [body["entry"][0]["changes"][0]["value"] for body in bodies]
        return [status for value in values for status in value.get("statuses", ())]

    def told(self, event: str) -> list[Json]:
        """The payloads of WAHA's events of this kind."""
        bodies = [each.body for each in list(self.received) if each.path == "/waha"]
        return [body["payload"] for body in bodies if body["event"] == event]


@dataclass(frozen=True)
class Outside:
    url: str
    client: httpx2.Client

    def get(self, path: str) -> Any:
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def control(self, path: str, body: Any) -> Any:
        response = self.client.post(path, json=body)
        assert response.status_code < 300, response.text
        return response.json()

    def chat(self, text: str, **more: Any) -> Json:
        """The completion's one choice."""
        response = self.ask([{"role": "user", "content": text}], **more)
        assert response.status_code == 200, response.text
        choice: Json = response.json()["choices"][0]
        return choice

    def ask(self, messages: list[Json], **more: Any) -> httpx2.Response:
        body = {"model": "gpt-5", "messages": messages, **more}
        return self.client.post("/v1/chat/completions", json=body, headers=BEARER)

    def graph(self, body: Json, *, phone_number_id: str = PHONE_NUMBER_ID) -> httpx2.Response:
        path = f"/graph/v23.0/{phone_number_id}/messages"
        return self.client.post(path, json={"messaging_product": "whatsapp", **body}, headers=BEARER)

    def send_text(self, text: str, *, to: str = "5511999990001", ref: str = "ref-1") -> str:
        body = {"to": to, "type": "text", "text": {"body": text}, "biz_opaque_callback_data": ref}
        response = self.graph(body)
        assert response.status_code == 200, response.text
        message_id: str = response.json()["messages"][0]["id"]
        return message_id

    def waha(self, path: str, body: Json | None = None, *, key: str = "the-api-key") -> httpx2.Response:
        """A call of WAHA's API: POST with a body, GET without."""
        headers, url = {"X-Api-Key": key} if key else {}, f"/waha/api/{path}"
        if body is None:
            return self.client.get(url, headers=headers)
        return self.client.post(url, json=body, headers=headers)

    def waha_text(self, text: str, *, to: str = "5511999990001@c.us") -> str:
        response = self.waha("sendText", {"session": "waha-demo", "chatId": to, "text": text})
        assert response.status_code == 201, response.text
        message_id: str = response.json()["id"]
        return message_id

    def post_signed(self, body: Json, *, key: str = "key-1", at: float | None = None) -> httpx2.Response:
        """To the generic channel, signed as Standard Webhooks ask."""
        raw, timestamp = json.dumps(body).encode(), str(int(time.time() if at is None else at))
        digest = hmac.new(KEY, f"{key}.{timestamp}.".encode() + raw, hashlib.sha256).digest()
        headers = {
            "webhook-id": key,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }
        return self.client.post("/http/http-demo/messages", content=raw, headers=headers)


def eventually(check: Callable[[], bool], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
