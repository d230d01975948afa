"""The model provider: chat completions, models, embeddings, transcriptions, speech, as OpenAI words them."""

import base64
import math
import struct
import time
import uuid
from typing import Any

from aiohttp import web

from pipeline.simulator import audio, model
from pipeline.simulator.embedding import DIMENSIONS, embed
from pipeline.simulator.endpoint import Handler, json_answer, played
from pipeline.simulator.errors import InputError, PlatformError
from pipeline.simulator.fields import JsonObject, as_object, integer_field, read_object, text_field
from pipeline.simulator.world import WORLD

MODELS = ("gpt-5", "gpt-5-mini", "gpt-4o-mini-transcribe", "gpt-4o-mini-tts", "text-embedding-3-small")
SPEECH_LIMIT = 4096
CACHE_BLOCK = 128
CACHE_FROM = 1024
ERROR_KINDS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class OpenAI:
    """OpenAI's error bodies."""

    def error(self, status: int | None, code: int | str | None) -> web.Response:
        if status is None:
            status = 429 if code == "insufficient_quota" else 500
        kind, default_code = ERROR_KINDS.get(status, ("server_error", None))
        kind = "insufficient_quota" if code == "insufficient_quota" else kind
        return self.body(status, "The simulator was asked to fail here.", kind, code or default_code)

    def rate_limited(self, retry_after: str) -> web.Response:
        message = f"Rate limit reached. Please try again in {retry_after}s."
        headers = {"retry-after": retry_after}
        return self.body(429, message, "requests", "rate_limit_exceeded", headers=headers)

    def bad_input(self, message: str) -> web.Response:
        return self.body(400, message, "invalid_request_error", None)

    def body(
        self,
        status: int,
        message: str,
        kind: str,
        code: int | str | None,
        *,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        error = {"message": message, "type": kind, "param": None, "code": code}
        return json_answer({"error": error}, status=status, headers=_request_id() | (headers or {}))


VENDOR = OpenAI()


def add_routes(app: web.Application) -> None:
    post, get = app.router.add_post, app.router.add_get
    post("/v1/chat/completions", _endpoint("llm", chat_completions))
    post("/v1/embeddings", _endpoint("embeddings", embeddings))
    post("/v1/audio/transcriptions", _endpoint("stt", transcriptions))
    post("/v1/audio/speech", _endpoint("tts", speech))
    get("/v1/models", _endpoint("models", models))


def _endpoint(target: str, effect: Handler) -> Handler:
    async def with_key(request: web.Request) -> web.Response:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            message = "You didn't provide an API key. Any non-empty bearer will do here."
            raise PlatformError(VENDOR.body(401, message, "invalid_request_error", "invalid_api_key"))
        return await effect(request)

    return played(target, VENDOR, with_key)


async def chat_completions(request: web.Request) -> web.Response:
    asked = await read_object(request)
    _check_chat(asked)
    answer = model.answer(asked)
    if answer.sleep_s:
        await request.app[WORLD].rest(answer.sleep_s)
    return json_answer(_completion(asked, answer), headers=_request_id())


async def models(request: web.Request) -> web.Response:
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "simulator"} for name in MODELS]
    return json_answer({"object": "list", "data": listed}, headers=_request_id())


async def embeddings(request: web.Request) -> web.Response:
    asked = await read_object(request)
    inputs = _embedding_inputs(asked.get("input"))
    dimensions = integer_field(asked, "dimensions", low=1, high=4096) or DIMENSIONS
    packed = asked.get("encoding_format") == "base64"
    vectors = [embed(text, dimensions) for text in inputs]
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(model.count_tokens(text) for text in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"object": "list", "data": data, "model": text_field(asked, "model"), "usage": usage}
    return json_answer(body, headers=_request_id())


async def transcriptions(request: web.Request) -> web.Response:
    if not request.content_type.startswith("multipart/"):
        raise InputError("a transcription takes multipart/form-data with `file` and `model`")
    form = await request.post()
    upload = form.get("file")
    if not isinstance(upload, web.FileField):
        raise InputError("`file` must be an audio file")
    sound = upload.file.read()
    text = audio.transcribe(sound)
    if form.get("response_format") == "text":
        return web.Response(text=text + "\n", headers=_request_id())
    usage = {"type": "duration", "seconds": max(1, len(sound) // 4000)}
    return json_answer({"text": text, "usage": usage}, headers=_request_id())


async def speech(request: web.Request) -> web.Response:
    asked = await read_object(request)
    text = text_field(asked, "input")
    if len(text) > SPEECH_LIMIT:
        raise InputError(f"`input` may be at most {SPEECH_LIMIT} characters")
    audio_format = text_field(asked, "response_format", "mp3")
    if audio_format not in audio.CONTENT_TYPES:
        raise InputError(f"the simulator speaks {', '.join(audio.CONTENT_TYPES)}; not {audio_format}")
    return web.Response(
        body=audio.speak(text, audio_format),
        content_type=audio.CONTENT_TYPES[audio_format],
        headers=_request_id(),
    )


def _check_chat(asked: JsonObject) -> None:
    text_field(asked, "model")
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise InputError("`messages` must be a non-empty list of objects")
    if asked.get("stream"):
        raise InputError("the simulator does not stream: leave `stream` out")
    if not isinstance(asked.get("tools") or [], list):
        raise InputError("`tools` must be a list")
    response_format = as_object(asked.get("response_format") or {}, "`response_format`")
    if response_format.get("type") == "json_schema":
        described = as_object(response_format.get("json_schema"), "`response_format.json_schema`")
        as_object(described.get("schema"), "`response_format.json_schema.schema`")


def _completion(asked: JsonObject, answer: model.Answer) -> dict[str, Any]:
    name = model.fingerprint(asked)
    message: dict[str, Any] = {"role": "assistant", "content": answer.content, "refusal": answer.refusal}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{name[:16]}{index}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(answer.calls)
        ]
    logprobs = _logprobs(answer) if asked.get("logprobs") else None
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": answer.finish_reason}
    return {
        "id": f"chatcmpl-{name[:29]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked["model"],
        "choices": [choice],
        "usage": _usage(asked, answer),
    }


def _logprobs(answer: model.Answer) -> dict[str, Any]:
    """A token for each word."""
    logprob = math.log(answer.sureness)
    return {
        "content": [
            {"token": word, "logprob": logprob, "bytes": list(word.encode()), "top_logprobs": []}
            for word in (answer.content or "").split()
        ],
        "refusal": None,
    }


def _usage(asked: JsonObject, answer: model.Answer) -> dict[str, Any]:
    prompt = model.count_tokens(str(asked["messages"]) + str(asked.get("tools") or ""))
    written = (
        (answer.content or "") + (answer.refusal or "") + "".join(each.arguments for each in answer.calls)
    )
    completion = model.count_tokens(written)
    cached = prompt // CACHE_BLOCK * CACHE_BLOCK if prompt >= CACHE_FROM else 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _embedding_inputs(value: Any) -> list[str]:
    """One text or token list, or a list of them."""
    if isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int)):
        value = [value]
    if not isinstance(value, list) or not value:
        raise InputError("`input` must be a string or a non-empty list")
    return [each if isinstance(each, str) else str(each) for each in value]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _request_id() -> dict[str, str]:
    return {"x-request-id": f"req_{uuid.uuid4().hex}"}
