"""Answers that no documentation knows: each is an error of ours with a code, and never an accident."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from pipeline.policies.errors import Code, PipelineError, RateLimitedError, TransientError, UnknownError
from pipeline.ports import ChannelConfig, ChatMessage, Completion, CompletionRequest, OutboundMessage, Role
from pipeline.providers.openai_model import OpenAIModel
from pipeline.transports.http_client import make_client
from pipeline.transports.registry import make_senders
from tests import factories
from tests.simulator.conftest import LoopThread, served

Headers = dict[str, str]
JSON = "application/json"
HTML = "<html><body>Welcome to nginx!</body></html>"


@contextmanager
def answering(
    thread: LoopThread,
    body: str,
    *,
    status: int = 200,
    content_type: str = JSON,
    headers: Headers | None = None,
) -> Iterator[str]:
    """Somebody who says this to everyone."""

    async def say(request: web.Request) -> web.Response:
        return web.Response(text=body, status=status, content_type=content_type, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", say)
    with served(thread, app) as url:
        yield url


def completion(**message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "Hello."} | message
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def call(**function: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"} | function}


def ask(url: str) -> Completion:
    request = CompletionRequest(
        model="m",
        messages=(ChatMessage(role=Role.USER, content="Hello"),),
        tools=(),
        temperature=0.3,
        max_output_tokens=100,
    )

    async def work() -> Completion:
        async with make_client() as client:
            return await OpenAIModel(client, base_url=f"{url}/v1", api_key="key").complete(request)

    return asyncio.run(work())


@pytest.mark.parametrize("content_type", [JSON, "text/html", "text/plain"])
@pytest.mark.parametrize("body", ["", HTML, "{", "null", "[]", "7", '"text"', "{}"])
def test_success_that_is_no_completion_is_a_passing_failure(
    loop_thread: LoopThread, body: str, content_type: str
) -> None:
    with (
        answering(loop_thread, body, content_type=content_type) as url,
        pytest.raises(TransientError) as failure,
    ):
        ask(url)
    assert failure.value.code == Code.MODEL_MALFORMED


STRANGE: list[Any] = [
    {"choices": None},
    {"choices": []},
    {"choices": "none"},
    {"choices": [None]},
    {"choices": [{}]},
    {"choices": [{"message": None}]},
    {"choices": [{"message": "Hello."}]},
    {"choices": [{"message": {}}]},
    completion(content=None),
    completion(content=7),
    completion(content=["Hello."]),
    completion(content="", tool_calls="none"),
    completion(content="", tool_calls=[None]),
    completion(content="", tool_calls=[{}]),
    completion(content="", tool_calls=[{"type": "function"}]),
    completion(content="", tool_calls=[call(name=None)]),
    completion(content="", tool_calls=[call(arguments={"a": 1})]),
    completion(content="", tool_calls=[{"id": None, "type": "custom", "custom": {}}]),
]


@pytest.mark.parametrize("body", STRANGE, ids=lambda body: json.dumps(body)[-70:])
def test_completion_of_another_shape_is_a_passing_failure(loop_thread: LoopThread, body: Any) -> None:
    with answering(loop_thread, json.dumps(body)) as url, pytest.raises(TransientError) as failure:
        ask(url)
    assert failure.value.code in (Code.MODEL_MALFORMED, Code.MODEL_EMPTY)


@pytest.mark.parametrize("usage", [None, {}, "much", {"prompt_tokens": "many"}, {"prompt_tokens": None}])
def test_usage_that_makes_no_sense_counts_as_none(loop_thread: LoopThread, usage: Any) -> None:
    with answering(loop_thread, json.dumps(completion() | {"usage": usage})) as url:
        answer = ask(url)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("Hello.", 0, 0)


@pytest.mark.parametrize(("hours", "seconds"), [(1, (3000, 3600)), (-1, (0, 0))])
def test_provider_may_name_the_date_at_which_to_come_again(
    loop_thread: LoopThread, hours: int, seconds: tuple[float, float]
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    refused = limited(loop_thread, at)
    assert refused.retry_after_s is not None
    assert seconds[0] <= refused.retry_after_s <= seconds[1]


@pytest.mark.parametrize("value", ["", "soon", "-1", "\u00b2", "1e3"])
def test_wish_that_makes_no_sense_is_none(loop_thread: LoopThread, value: str) -> None:
    assert limited(loop_thread, value).retry_after_s is None


def limited(thread: LoopThread, retry_after: str) -> RateLimitedError:
    headers = {"Retry-After": retry_after}
    with (
        answering(thread, "{}", status=429, headers=headers) as url,
        pytest.raises(RateLimitedError) as refused,
    ):
        ask(url)
    return refused.value


def test_refusal_is_an_answer(loop_thread: LoopThread) -> None:
    body = completion(content=None, refusal="I can't help with that.")
    with answering(loop_thread, json.dumps(body)) as url:
        assert ask(url).text == "I can't help with that."


def test_answer_cut_short_is_given_as_far_as_it_goes(loop_thread: LoopThread) -> None:
    body = completion(content="The beginning of")
    body["choices"][0]["finish_reason"] = "length"
    with answering(loop_thread, json.dumps(body)) as url:
        assert ask(url).text == "The beginning of"


def test_answer_cut_off_before_its_first_word_says_what_to_change(loop_thread: LoopThread) -> None:
    body = completion(content="")
    body["choices"][0]["finish_reason"] = "length"
    with answering(loop_thread, json.dumps(body)) as url, pytest.raises(PipelineError) as failure:
        ask(url)
    assert failure.value.code == Code.MODEL_TRUNCATED


def send(url: str) -> str:
    channel = ChannelConfig(
        slug="whatsapp",
        external_id="1001",
        api_url=url,
        credentials=factories.CREDENTIALS["whatsapp_cloud"],
    )
    message = OutboundMessage(to="5511999990001", text="Hello", client_reference=uuid4(), attempt=1)

    async def work() -> str:
        async with make_client() as client:
            return await make_senders(client)["whatsapp_cloud"].send(message, channel)

    return asyncio.run(work())


@pytest.mark.parametrize(
    "body",
    ["", HTML, "null", "[]", "{}", '{"messages": []}', '{"messages": [{}]}', '{"messages": [{"id": null}]}'],
)
def test_success_that_names_no_message_may_have_been_one(loop_thread: LoopThread, body: str) -> None:
    with answering(loop_thread, body) as url, pytest.raises(UnknownError):
        send(url)


@pytest.mark.parametrize("status", [502, 504])
def test_gateway_that_lost_the_platforms_answer_does_not_mean_that_nothing_was_sent(
    loop_thread: LoopThread, status: int
) -> None:
    with (
        answering(loop_thread, HTML, status=status, content_type="text/html") as url,
        pytest.raises(UnknownError),
    ):
        send(url)


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        "null",
        "[]",
        '{"error": null}',
        '{"error": "no"}',
        '{"error": {"code": "x"}}',
        '{"error": {"code": {}}}',
    ],
)
def test_refusal_without_a_code_goes_by_its_status(loop_thread: LoopThread, body: str) -> None:
    with answering(loop_thread, body, status=400) as url, pytest.raises(PipelineError) as failure:
        send(url)
    assert failure.value.code == Code.SEND_REQUEST
