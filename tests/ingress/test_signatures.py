"""Nothing is believed, parsed or recorded that the platform did not sign."""

from __future__ import annotations

import base64
import time

import pytest

from conversations.models import ChannelKind
from pipeline.models import ProcessedEvent
from tests import factories
from tests.ingress.answers import receipt, refusal
from tests.ingress.platforms import (
    Meta,
    OwnSystem,
    encoded,
    envelope,
    meta_signature,
    standard_headers,
    value,
)

OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256=00ff",
        "sha1=abc",
        "nonsense",
        "sha256=" + "é" * 64,
        "sha256=" + "0" * 64,
        "\x7f" * 9000,
    ],
)
def test_meta_webhook_without_a_fitting_signature_is_refused(meta: Meta, signature: str) -> None:
    error = refusal(meta.post(envelope(value("1001", messages=[])), signature=signature), 401)
    assert error["code"] == "bad_signature"


def test_signature_is_checked_before_the_body_is_parsed(meta: Meta) -> None:
    assert refusal(meta.post(b"{not json", signature="sha256=00"), 401)


def test_signature_covers_the_bytes_as_sent_and_not_their_meaning(meta: Meta) -> None:
    body = envelope(value("1001", messages=[]))
    signature = meta_signature("an-app-secret", encoded(body))
    assert refusal(meta.post(encoded(body).replace(b": ", b":"), signature=signature), 401)


def test_secret_of_another_channel_does_not_open_this_one(meta: Meta) -> None:
    other = factories.channel(credentials={"app_secret": "other", "verify_token": "v", "access_token": "a"})
    body = envelope(value("1001", messages=[]))
    assert refusal(
        meta.post(body, signature=meta_signature(other.credentials["app_secret"], encoded(body))), 401
    )


def test_own_system_signed_by_standard_webhooks_is_let_in(own_system: OwnSystem) -> None:
    assert receipt(own_system.say()) == (1, 0, 0)


@pytest.mark.parametrize("away_s", [-301, 301, -86_400, 10**9])
def test_timestamp_far_from_now_is_refused_even_when_signed(own_system: OwnSystem, away_s: int) -> None:
    assert "webhook-timestamp" in refusal(own_system.post({}, at=time.time() + away_s), 401)["message"]


@pytest.mark.parametrize("away_s", [-290, 290])
def test_clocks_may_differ_by_almost_five_minutes(own_system: OwnSystem, away_s: int) -> None:
    body = {"id": "m1", "from": "customer-1", "text": "hello"}
    assert receipt(own_system.post(body, at=time.time() + away_s)) == (1, 0, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "today"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "1" * 400},
        {"webhook-timestamp": "١٧٠٠٠٠٠٠٠٠"},
        {"webhook-timestamp": "1e9"},
        {"webhook-id": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,not base64!"},
        {"webhook-signature": "v1a,AAAA v2,BBBB ,,, v1,é"},
        {"webhook-signature": "v1,AAAA " * 500},
    ],
)
def test_malformed_headers_are_a_bad_signature_and_never_an_accident(
    own_system: OwnSystem, headers: dict[str, str]
) -> None:
    assert (
        refusal(own_system.post({"id": "m1", "from": "c"}, headers=headers), 401)["code"] == "bad_signature"
    )


def test_one_of_several_signatures_suffices(own_system: OwnSystem) -> None:
    raw = encoded({"id": "m1", "from": "customer-1", "text": "hello"})
    ours = standard_headers(factories.SIGNING_SECRET, "msg_1", raw, at=time.time())["webhook-signature"]
    theirs = standard_headers(OTHER_SECRET, "msg_1", raw, at=time.time())["webhook-signature"]
    assert receipt(own_system.post(raw, headers={"webhook-signature": f"{theirs} v1a,xyz {ours}"})) == (
        1,
        0,
        0,
    )


@pytest.mark.django_db
def test_two_secrets_work_side_by_side_while_one_replaces_the_other() -> None:
    both = {"signing_secret": f"{OTHER_SECRET} {factories.SIGNING_SECRET}"}
    system = OwnSystem(factories.channel(kind=ChannelKind.HTTP, credentials=both))
    for number, secret in enumerate([OTHER_SECRET, factories.SIGNING_SECRET]):
        body = {"id": f"m{number}", "from": "customer-1", "text": "hello"}
        assert receipt(system.post(body, webhook_id=f"msg_{number}", secret=secret)) == (1, 0, 0)
    retired = "whsec_" + base64.b64encode(b"a secret that was never ours....").decode()
    assert refusal(system.post({"id": "m3", "from": "c"}, webhook_id="msg_3", secret=retired), 401)


def test_refused_webhook_leaves_no_row(meta: Meta, own_system: OwnSystem) -> None:
    meta.post(envelope(value("1001", messages=[{"id": "wamid.1"}])), signature="sha256=00")
    own_system.post({"id": "m1", "from": "c", "text": "t"}, at=0)
    assert not ProcessedEvent.objects.exists()


@pytest.mark.parametrize("credentials", [{}, {"app_secret": ""}])
def test_whatsapp_channel_without_a_secret_lets_nobody_in(db: None, credentials: dict[str, str]) -> None:
    bare = Meta(factories.channel(credentials=credentials))
    body = encoded(envelope(value("1001", messages=[])))
    assert refusal(bare.post(body, signature=meta_signature("", body)), 401)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64", "plain"])
def test_http_channel_without_a_proper_secret_lets_nobody_in(db: None, secret: str) -> None:
    bare = OwnSystem(factories.channel(kind=ChannelKind.HTTP, credentials={"signing_secret": secret}))
    assert refusal(bare.post({"id": "m1", "from": "c"}, secret=OTHER_SECRET), 401)
