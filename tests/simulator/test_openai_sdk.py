"""The real SDK against the simulator: what Zupa's provider will see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel, ValidationError

from tests.simulator.world import Outside

T = TypeVar("T")


class Reply(BaseModel):
    text: str
    confident: bool


class OpeningHours(BaseModel):
    day: str


def with_sdk(outside: Outside, work: Callable[[AsyncOpenAI], Awaitable[T]], *, timeout_s: float = 10) -> T:
    async def run() -> T:
        base_url = f"{outside.url}/v1"
        async with AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0, timeout=timeout_s) as client:
            return await work(client)

    return asyncio.run(run())


def complete(text: str, **more: Any) -> Callable[[AsyncOpenAI], Awaitable[Any]]:
    return lambda client: client.chat.completions.create(
        model="gpt-5", messages=[{"role": "user", "content": text}], **more
    )


def parse(text: str) -> Callable[[AsyncOpenAI], Awaitable[Any]]:
    return lambda client: client.chat.completions.parse(
        model="gpt-5", messages=[{"role": "user", "content": text}], response_format=Reply
    )


def test_a_completion_has_text_usage_and_a_request_id(outside: Outside) -> None:
    completion = with_sdk(outside, complete("hello"))
    assert "hello" in completion.choices[0].message.content
    assert completion.usage.prompt_tokens > 0
    assert completion._request_id.startswith("req_")


def test_a_strict_tool_is_called(outside: Outside) -> None:
    tools = [openai.pydantic_function_tool(OpeningHours, name="opening_hours")]
    completion = with_sdk(outside, complete('#tool opening_hours {"day": "monday"}', tools=tools))
    (call,) = completion.choices[0].message.tool_calls
    assert OpeningHours.model_validate_json(call.function.arguments).day == "monday"


def test_structured_output_is_parsed(outside: Outside) -> None:
    parsed = with_sdk(outside, parse("hello")).choices[0].message.parsed
    assert "hello" in parsed.text
    assert parsed.confident is False


def test_bad_json_is_a_validation_error(outside: Outside) -> None:
    with pytest.raises(ValidationError):
        with_sdk(outside, parse("#bad-json"))


def test_a_cut_off_answer_is_a_length_error(outside: Outside) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        with_sdk(outside, parse("#length"))


def test_a_refusal_is_not_parsed(outside: Outside) -> None:
    message = with_sdk(outside, parse("#refuse")).choices[0].message
    assert message.parsed is None
    assert message.refusal


def test_models_embeddings_and_their_dimensions(outside: Outside) -> None:
    assert [each.id for each in with_sdk(outside, lambda sdk: sdk.models.list()).data]

    def embed(text: str, **more: Any) -> list[float]:
        created = with_sdk(outside, lambda sdk: sdk.embeddings.create(model="e", input=text, **more))
        return created.data[0].embedding

    def likeness(one: list[float], other: list[float]) -> float:
        return sum(left * right for left, right in zip(one, other, strict=True))

    red = embed("a red bicycle")
    assert len(red) == 256
    assert red == embed("a red bicycle")
    assert likeness(red, embed("the red bicycle")) > likeness(red, embed("opening hours on sunday"))
    assert len(embed("x", dimensions=8)) == 8


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "wav"])
def test_speech_is_heard_again_by_the_transcription(outside: Outside, audio_format: str) -> None:
    async def speak_and_listen(sdk: AsyncOpenAI) -> str:
        spoken = await sdk.audio.speech.create(
            model="tts",
            voice="alloy",
            input="Olá, tudo bem?",
            response_format=audio_format,  # type: ignore[arg-type]
        )
        heard = await sdk.audio.transcriptions.create(model="stt", file=("note.ogg", spoken.content))
        return heard.text

    assert with_sdk(outside, speak_and_listen) == "Olá, tudo bem?"


def test_audio_without_a_marker_has_a_transcript_of_its_own(outside: Outside) -> None:
    def listen(sound: bytes) -> str:
        return with_sdk(
            outside, lambda sdk: sdk.audio.transcriptions.create(model="stt", file=("a.wav", sound))
        ).text

    assert listen(b"RIFF one") == listen(b"RIFF one")
    assert listen(b"RIFF one") != listen(b"RIFF two")
    assert listen(b"noise SIMTEXT:to the end") == "to the end"


def fault(outside: Outside, mode: str, **more: Any) -> None:
    outside.control("/_sim/faults", {"target": "llm", "mode": mode, **more})


@pytest.mark.parametrize("mode", ["hang", "latency"])
def test_a_slow_provider_times_out(outside: Outside, mode: str) -> None:
    fault(outside, mode, seconds=30)
    with pytest.raises(openai.APITimeoutError):
        with_sdk(outside, complete("hello"), timeout_s=0.3)


@pytest.mark.parametrize("mode", ["disconnect_before_accept", "disconnect_after_accept"])
def test_a_closed_connection_is_a_connection_error(outside: Outside, mode: str) -> None:
    fault(outside, mode)
    with pytest.raises(openai.APIConnectionError):
        with_sdk(outside, complete("hello"))


def test_a_rate_limit_says_when_to_come_back(outside: Outside) -> None:
    fault(outside, "rate_limit", retry_after=7)
    with pytest.raises(openai.RateLimitError) as caught:
        with_sdk(outside, complete("hello"))
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"


def test_an_exhausted_quota_is_told_from_a_rate_limit(outside: Outside) -> None:
    fault(outside, "error", code="insufficient_quota")
    with pytest.raises(openai.RateLimitError) as caught:
        with_sdk(outside, complete("hello"))
    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize(
    ("status", "kind"), [(500, openai.InternalServerError), (401, openai.AuthenticationError)]
)
def test_an_error_has_the_wanted_status(
    outside: Outside, status: int, kind: type[openai.APIStatusError]
) -> None:
    fault(outside, "error", status=status)
    with pytest.raises(kind) as caught:
        with_sdk(outside, complete("hello"))
    assert caught.value.request_id


def test_a_malformed_answer_is_a_decode_error(outside: Outside) -> None:
    fault(outside, "malformed")
    with pytest.raises(json.JSONDecodeError):
        with_sdk(outside, complete("hello"))
