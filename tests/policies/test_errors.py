"""Every failure has a stable code; adapters choose it by the vendor's number and never by text."""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from pipeline.policies import errors
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    TRANSIENT_STEPS,
    AccountError,
    Code,
    CredentialsError,
    PipelineError,
    RateLimitedError,
    RecipientError,
    RecipientLimitedError,
    RequestError,
    TransientError,
    UnknownError,
    WindowError,
)
from pipeline.ports import ChannelConfig, ChatMessage, CompletionRequest, OutboundMessage, Role, Sender
from pipeline.providers.openai_model import OpenAIModel
from pipeline.transports.http_client import make_client
from pipeline.transports.signed_http.sender import SignedHttpSender
from pipeline.transports.whatsapp_cloud.errors import classify
from pipeline.transports.whatsapp_cloud.sender import WhatsAppSender
from tests.simulator.world import PHONE_NUMBER_ID, SIGNING_SECRET, Outside
from zupa_site.environment import CHECKOUT

ROW = re.compile(r"^\| `([a-z_.]+)` \|(.+)\|(.+)\|(.+)\|$", re.MULTILINE)
PAGE = (CHECKOUT / "docs" / "errors.md").read_text()


def test_page_of_errors_knows_every_code_and_no_other() -> None:
    explained = [found[0] for found in ROW.findall(PAGE)]
    assert sorted(explained) == sorted(Code)


def test_page_of_errors_says_meaning_reaction_and_remedy_of_each() -> None:
    for code, *cells in ROW.findall(PAGE):
        assert all(cell.strip() for cell in cells), code


def test_tree_is_drawn_complete_in_its_module() -> None:
    drawn = re.findall(r"(\w+Error)\s", errors.__doc__ or "")
    assert sorted(drawn) == sorted(name for name, _ in inspect.getmembers(errors, _is_error))


def _is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, PipelineError)


@pytest.mark.parametrize("code", list(Code))
def test_failure_found_on_record_is_as_passing_as_it_was(code: Code) -> None:
    assert isinstance(errors.recorded(code, "on record"), TransientError) == (code in TRANSIENT_STEPS)


WHATSAPP: Mapping[type[PipelineError], tuple[int, ...]] = {
    TransientError: (1, 2, 131000, 131016, 131057),
    RateLimitedError: (4, 80007, 130429),
    RecipientLimitedError: (131056,),
    WindowError: (131047,),
    RecipientError: (131026, 131021, 131049, 131050, 130403, 130472),
    CredentialsError: (0, 3, 10, 190, 200, 250, 299, 131005),
    AccountError: (368, 131031, 131042, 131045, 131048, 130497),
    RequestError: (100, 131008, 131009, 131051, 131053, 132000, 132001, 999_999),
}


@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, codes in WHATSAPP.items() for code in codes]
)
def test_whatsapp_error_is_classified_by_metas_code(kind: type[PipelineError], code: int) -> None:
    """Cloud API error codes reference; the text is never looked at."""
    for text in ("", "(#131047) Re-engagement message", "Invalid OAuth access token"):
        assert type(classify(code, 400, text, None)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, TransientError),
        (503, TransientError),
        (429, RateLimitedError),
        (401, CredentialsError),
        (403, CredentialsError),
        (400, RequestError),
        (404, RequestError),
    ],
)
def test_whatsapp_answer_without_a_code_is_classified_by_its_status(
    status: int, kind: type[PipelineError]
) -> None:
    assert type(classify(None, status, "<html>", None)) is kind


MODEL_FAULTS: list[tuple[dict[str, Any], type[PipelineError], Code]] = [
    ({"mode": "error", "status": 500}, TransientError, Code.MODEL_SERVER),
    ({"mode": "error", "status": 503}, TransientError, Code.MODEL_SERVER),
    ({"mode": "error", "status": 408}, TransientError, Code.MODEL_SERVER),
    ({"mode": "error", "status": 409}, TransientError, Code.MODEL_SERVER),
    ({"mode": "error", "status": 401}, CredentialsError, Code.MODEL_CREDENTIALS),
    ({"mode": "error", "status": 403}, CredentialsError, Code.MODEL_CREDENTIALS),
    ({"mode": "error", "status": 400}, RequestError, Code.MODEL_REQUEST),
    ({"mode": "error", "status": 404}, RequestError, Code.MODEL_REQUEST),
    ({"mode": "error", "status": 429, "code": "insufficient_quota"}, AccountError, Code.MODEL_QUOTA),
    ({"mode": "rate_limit", "retry_after": 7}, RateLimitedError, Code.MODEL_RATE_LIMITED),
    ({"mode": "disconnect_before_accept"}, TransientError, Code.MODEL_CONNECTION),
    ({"mode": "disconnect_after_accept"}, TransientError, Code.MODEL_CONNECTION),
    ({"mode": "malformed"}, TransientError, Code.MODEL_MALFORMED),
    ({"mode": "hang"}, TransientError, Code.MODEL_TIMEOUT),
]


@pytest.mark.parametrize(("fault", "kind", "code"), MODEL_FAULTS)
def test_model_error_is_classified_by_the_vendors_code(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], kind: type, code: Code
) -> None:
    shorten(monkeypatch, Call.MODEL, attempt_s=0.5)
    outside.control("/_sim/faults", {"target": "llm", **fault})
    error = asyncio.run(model_error(outside, "Hello"))
    assert (type(error), error.code) == (kind, code)
    if isinstance(error, RateLimitedError):
        assert error.retry_after_s == 7


@pytest.mark.parametrize(("said", "code"), [("#empty", Code.MODEL_EMPTY)])
def test_useless_answer_of_the_model_is_an_error_with_a_code(outside: Outside, said: str, code: Code) -> None:
    assert asyncio.run(model_error(outside, said)).code == code


def test_model_that_cannot_be_reached_is_a_passing_failure(outside: Outside) -> None:
    nowhere = replace(outside, url="http://127.0.0.1:9")
    error = asyncio.run(model_error(nowhere, "Hello"))
    assert (type(error), error.code) == (TransientError, Code.MODEL_CONNECTION)


WHATSAPP_FAULTS: list[tuple[dict[str, Any], type[PipelineError], Code]] = [
    ({"mode": "error", "code": 131047}, WindowError, Code.SEND_WINDOW),
    ({"mode": "error", "code": 190}, CredentialsError, Code.SEND_CREDENTIALS),
    ({"mode": "error", "code": 131031}, AccountError, Code.SEND_ACCOUNT),
    ({"mode": "error", "code": 131026}, RecipientError, Code.SEND_RECIPIENT),
    ({"mode": "error", "code": 100}, RequestError, Code.SEND_REQUEST),
    ({"mode": "error", "code": 131016}, TransientError, Code.SEND_SERVER),
    ({"mode": "rate_limit", "retry_after": 7}, RateLimitedError, Code.SEND_RATE_LIMITED),
    ({"mode": "malformed"}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "hang"}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "disconnect_after_accept"}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "disconnect_before_accept"}, UnknownError, Code.SEND_UNANSWERED),
]
HTTP_FAULTS: list[tuple[dict[str, Any], type[PipelineError], Code]] = [
    ({"mode": "error", "status": 500}, TransientError, Code.SEND_SERVER),
    ({"mode": "error", "status": 401}, CredentialsError, Code.SEND_CREDENTIALS),
    ({"mode": "error", "status": 403}, CredentialsError, Code.SEND_CREDENTIALS),
    ({"mode": "error", "status": 422}, RequestError, Code.SEND_REQUEST),
    ({"mode": "rate_limit", "retry_after": 7}, RateLimitedError, Code.SEND_RATE_LIMITED),
    ({"mode": "error", "status": 502}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "error", "status": 504}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "hang"}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "disconnect_after_accept"}, UnknownError, Code.SEND_UNANSWERED),
    ({"mode": "disconnect_before_accept"}, UnknownError, Code.SEND_UNANSWERED),
]


@pytest.mark.parametrize(("fault", "kind", "code"), WHATSAPP_FAULTS)
def test_whatsapp_send_says_whether_the_message_may_have_gone_out(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], kind: type, code: Code
) -> None:
    shorten(monkeypatch, Call.SEND, attempt_s=0.5)
    outside.control("/_sim/faults", {"target": "whatsapp", **fault})
    channel = ChannelConfig(
        slug="whatsapp-demo",
        external_id=PHONE_NUMBER_ID,
        api_url=f"{outside.url}/graph",
        credentials={"access_token": "token"},
    )
    error = asyncio.run(send_error("whatsapp", channel))
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize(("fault", "kind", "code"), HTTP_FAULTS)
def test_signed_http_send_says_whether_the_message_may_have_gone_out(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], kind: type, code: Code
) -> None:
    shorten(monkeypatch, Call.SEND, attempt_s=0.5)
    outside.control("/_sim/faults", {"target": "http", **fault})
    error = asyncio.run(send_error("http", http_config(outside.url)))
    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize("kind", ["whatsapp", "http"])
def test_peer_that_cannot_be_reached_certainly_got_nothing(kind: str) -> None:
    channel = replace(
        http_config("http://127.0.0.1:9"), credentials={"access_token": "t", "signing_secret": SIGNING_SECRET}
    )
    error = asyncio.run(send_error(kind, channel))
    assert (type(error), error.code) == (TransientError, Code.SEND_CONNECTION)


def http_config(url: str) -> ChannelConfig:
    return ChannelConfig(
        slug="http-demo",
        external_id="",
        api_url=f"{url}/http/http-demo/messages",
        credentials={"signing_secret": SIGNING_SECRET},
    )


def shorten(monkeypatch: pytest.MonkeyPatch, call: Call, *, attempt_s: float) -> None:
    monkeypatch.setitem(CALLS, call, replace(CALLS[call], attempt_s=attempt_s))


async def model_error(outside: Outside, said: str) -> PipelineError:
    return await model_error_at(outside.url, said)


async def model_error_at(url: str, said: str) -> PipelineError:
    request = CompletionRequest(
        model="gpt-5",
        messages=(ChatMessage(role=Role.USER, content=said),),
        tools=(),
        temperature=0.0,
        max_output_tokens=100,
    )
    async with make_client() as client:
        model = OpenAIModel(client, base_url=f"{url}/v1", api_key="key")
        with pytest.raises(PipelineError) as raised:
            await model.complete(request)
    return raised.value


async def send_error(kind: str, channel: ChannelConfig) -> PipelineError:
    message = OutboundMessage(to="5511999990001", text="Hello", client_reference=UUID(int=1), attempt=1)
    async with make_client() as client:
        sender: Sender = WhatsAppSender(client) if kind == "whatsapp" else SignedHttpSender(client)
        with pytest.raises(PipelineError) as raised:
            await sender.send(message, channel)
    return raised.value


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Names are resolved when this is set, and then there are none: no resolver is ours to slow down."""
    answers = threading.Event()

    def resolve(*_: object, **__: object) -> None:
        answers.wait(20)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield answers
    answers.set()


@pytest.mark.parametrize(("is_slow", "code"), [(True, Code.MODEL_TIMEOUT), (False, Code.MODEL_CONNECTION)])
def test_model_whose_name_is_not_resolved_in_time_is_a_passing_failure(
    dns: threading.Event, monkeypatch: pytest.MonkeyPatch, is_slow: bool, code: Code
) -> None:
    monkeypatch.setitem(CALLS, Call.MODEL, replace(CALLS[Call.MODEL], connect_s=0.3, attempt_s=0.6))
    error = asyncio.run(
        while_dns_hangs(dns, is_slow, lambda: model_error_at("http://model.example", "Hello"))
    )
    assert (type(error), error.code) == (TransientError, code)


@pytest.mark.parametrize("is_slow", [True, False])
@pytest.mark.parametrize("kind", ["whatsapp", "http"])
def test_platform_whose_name_is_not_resolved_in_time_certainly_got_nothing(
    dns: threading.Event, monkeypatch: pytest.MonkeyPatch, kind: str, is_slow: bool
) -> None:
    monkeypatch.setitem(CALLS, Call.SEND, replace(CALLS[Call.SEND], connect_s=0.3, attempt_s=0.6))
    channel = replace(
        http_config("http://platform.example"),
        credentials={"access_token": "t", "signing_secret": SIGNING_SECRET},
    )
    error = asyncio.run(while_dns_hangs(dns, is_slow, lambda: send_error(kind, channel)))
    assert (type(error), error.code) == (TransientError, Code.SEND_CONNECTION)


async def while_dns_hangs(
    dns: threading.Event, is_slow: bool, call: Callable[[], Awaitable[PipelineError]]
) -> PipelineError:
    if not is_slow:
        dns.set()
    error = await call()
    assert dns.is_set() != is_slow, "it did not wait for the name"
    dns.set()
    return error
