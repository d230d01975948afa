"""Any OpenAI-compatible model, through the vendor's SDK: no silent retries, every failure a typed error of ours."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import aiohttp
import httpx2
import openai
from openai import AsyncOpenAI
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from pipeline.policies import risk
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    AccountError,
    Code,
    CredentialsError,
    PipelineError,
    RateLimitedError,
    RequestError,
    TransientError,
)
from pipeline.ports import ChatMessage, Completion, CompletionRequest, Role, ToolCall
from pipeline.transports.http_client import UNANSWERED, Client, retry_after_s


class _Function(BaseModel):
    name: str
    arguments: str


class _ToolCall(BaseModel):
    id: str
    function: _Function


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Token(BaseModel):
    logprob: float


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(BaseModel):
    """What we read of a completion. The SDK checks nothing: with its own classes a strange answer is an accident."""

    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: _Usage = _Usage()

    @field_validator("usage", mode="wrap")
    @classmethod
    def _known(cls, value: object, read: ValidatorFunctionWrapHandler) -> _Usage:
        """An answer is not lost over how it was counted."""
        try:
            return _Usage.model_validate(read(value))
        except ValidationError:
            return _Usage()


class _Transport(httpx2.AsyncBaseTransport):
    """The SDK's way out, through our client: an answer is read whole. The SDK's own cost a call twice the CPU."""

    def __init__(self, client: Client) -> None:
        self._client = client
        policy = CALLS[Call.MODEL]
        self._timeout = aiohttp.ClientTimeout(
            connect=policy.attempt_s, sock_connect=policy.connect_s, sock_read=policy.attempt_s
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._answered(request)
        except TimeoutError as error:
            raise httpx2.TimeoutException(str(error)) from error
        except UNANSWERED as error:
            raise httpx2.TransportError(f"{type(error).__name__}: {error}") from error

    async def _answered(self, request: httpx2.Request) -> httpx2.Response:
        async with self._client.request(
            request.method,
            str(request.url),
            headers=request.headers,
            data=request.content,
            allow_redirects=False,
            auto_decompress=False,
            timeout=self._timeout,
        ) as answered:
            body = await answered.read()
        return httpx2.Response(answered.status, headers=answered.raw_headers, content=body, request=request)


class OpenAIModel:
    """A `ModelProvider`."""

    def __init__(self, client: Client, *, base_url: str, api_key: str) -> None:
        timeout = CALLS[Call.MODEL].attempt_s
        # Proxies are our client's to ask: of the environment the SDK would make ways out of its own.
        http_client = openai.DefaultAsyncHttpxClient(
            transport=_Transport(client), timeout=timeout, trust_env=False
        )
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._client = AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, timeout=timeout, http_client=http_client
        )

    async def complete(self, request: CompletionRequest) -> Completion:
        """See `pipeline.ports.ModelProvider`."""
        try:
            # `chat.completions.create` walks over every message for keys to rename: ten times the CPU of this.
            answer = await self._client.post(self._url, cast_to=httpx2.Response, body=_parameters(request))
        except openai.OpenAIError as error:
            raise _classified(error) from error
        except httpx2.HTTPError as error:
            raise TransientError(Code.MODEL_MALFORMED, f"{type(error).__name__}: {error}") from error
        return _completion(answer)


def _parameters(request: CompletionRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "temperature": request.temperature,
        "max_completion_tokens": request.max_output_tokens,
    }
    if request.wants_confidence:
        parameters["logprobs"] = True
    if request.tools:
        parameters["tools"] = [_tool(spec.name, spec.description, spec.parameters) for spec in request.tools]
    return parameters


def _message(message: ChatMessage) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role.value, "content": message.content}
    if message.role is Role.TOOL:
        said["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return said


@lru_cache(maxsize=256)
def _tool(name: str, description: str, parameters: type[BaseModel]) -> Mapping[str, Any]:
    return openai.pydantic_function_tool(parameters, name=name, description=description)


def _completion(answer: httpx2.Response) -> Completion:
    """Raises what an unusable answer means."""
    read = _read(answer.content)
    choice = read.choices[0]
    text = choice.message.content or choice.message.refusal or ""
    if not text.strip() and not choice.message.tool_calls:
        raise _unusable(choice.finish_reason)
    return Completion(
        text=text,
        tool_calls=tuple(
            ToolCall(call.id, call.function.name, call.function.arguments)
            for call in choice.message.tool_calls or ()
        ),
        model=read.model or "",
        request_id=answer.headers.get("x-request-id", ""),
        prompt_tokens=read.usage.prompt_tokens,
        completion_tokens=read.usage.completion_tokens,
        confidence=_confidence(choice.logprobs),
    )


def _confidence(logprobs: _Logprobs | None) -> float | None:
    tokens = (logprobs.content if logprobs else None) or []
    return risk.confidence([token.logprob for token in tokens])


def _read(body: bytes) -> _Answer:
    try:
        return _Answer.model_validate_json(body)
    except ValidationError as error:
        said = body[:200].decode(errors="replace")
        raise TransientError(Code.MODEL_MALFORMED, f"Not a completion: {said}") from error


def _unusable(finish_reason: str | None) -> PipelineError:
    if finish_reason == "length":
        return RequestError(
            Code.MODEL_TRUNCATED, "The answer did not fit: raise the agent's max output tokens."
        )
    return TransientError(Code.MODEL_EMPTY, "The model answered with nothing.")


def _classified(error: openai.OpenAIError) -> PipelineError:
    """By type and code, never by text."""
    if isinstance(error, openai.APIStatusError):
        return _by_status(error)
    if isinstance(error, openai.APITimeoutError):
        return TransientError(Code.MODEL_TIMEOUT, "The provider did not answer in time.")
    if isinstance(error, openai.APIConnectionError):
        return TransientError(Code.MODEL_CONNECTION, str(error.__cause__))
    return TransientError(Code.MODEL_MALFORMED, f"{type(error).__name__}: {error}")


def _by_status(error: openai.APIStatusError) -> PipelineError:
    story = f"HTTP {error.status_code} (request {error.request_id}): {error.message}"
    if error.code == "insufficient_quota":
        return AccountError(Code.MODEL_QUOTA, story)
    if error.status_code == 429:
        return RateLimitedError(Code.MODEL_RATE_LIMITED, story, retry_after_s=retry_after_s(error.response))
    if error.status_code >= 500 or error.status_code in (408, 409):
        return TransientError(Code.MODEL_SERVER, story)
    if error.status_code in (401, 403):
        return CredentialsError(Code.MODEL_CREDENTIALS, story)
    return RequestError(Code.MODEL_REQUEST, story)
