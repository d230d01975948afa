"""Files: what is taken, how it reaches the contact, who may fetch it, and when it goes."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from conversations import attachments, links
from conversations.attachments import AttachmentRefusedError
from conversations.models import Attachment, ChannelKind, Conversation, Message
from conversations.writing import NotWrittenError
from pipeline import housekeeping
from pipeline.policies.errors import Code
from review import passes
from tests import factories
from tests.engine_room import Room, make_due
from tests.takeover.acts import say, take_over
from tests.takeover.test_writing import heard
from zupa_site import body_limit

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n and pixels"
PDF = b"%PDF-1.7 and pages"


def upload(
    conversation: Conversation, by: User, content: bytes = PNG, mime_type: str = "image/png", **fields: Any
) -> Attachment:
    file = SimpleUploadedFile(fields.get("name", "a photo.png"), content, mime_type)
    return attachments.keep(conversation.pk, file, by=by, now=fields.get("now", timezone.now()))


def body_of(response: Any) -> bytes:
    async def collected() -> bytes:
        return b"".join([chunk async for chunk in response.streaming_content])

    return async_to_sync(collected)()


def sent(room: Room) -> dict[str, Any]:
    (message,) = room.outside.get("/_sim/sent")
    return dict(message)


def test_image_goes_up_to_whatsapp_and_arrives_with_its_caption(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    message = say(conversation, rita, "Look", attachment_id=upload(conversation, rita).pk)
    room.work()
    arrived = sent(room)
    assert (arrived["type"], arrived["text"]) == ("image", "Look")
    assert room.outside.client.get(f"/phone/media/{arrived['media']}").content == PNG
    message.refresh_from_db()
    assert (message.delivery, message.kind) == ("sent", "image")


def test_document_arrives_under_its_name(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    kept = upload(conversation, rita, PDF, "application/pdf", name="invoice.pdf")
    say(conversation, rita, attachment_id=kept.pk)
    room.work()
    assert (sent(room)["type"], sent(room)["text"]) == ("document", "invoice.pdf")


def test_signed_http_gets_an_address_that_leads_to_the_file_for_a_day(room: Room, rita: User) -> None:
    conversation = heard(room, kind=ChannelKind.HTTP)
    take_over(conversation, rita)
    say(conversation, rita, "Look", attachment_id=upload(conversation, rita).pk)
    room.work()
    arrived = sent(room)
    assert (arrived["type"], arrived["text"]) == ("image", "Look")
    address = "/files/" + arrived["media"].partition("/files/")[2]
    response = Client().get(address)
    assert body_of(response) == PNG
    assert response.headers["Content-Type"] == "image/png"
    assert "sandbox" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("token", ["forged", "WyJhIl0:1:x"])
def test_address_that_is_not_ours_leads_nowhere(token: str) -> None:
    assert Client().get(f"/files/{token}").status_code == 404


def test_address_ends_with_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    token = links.address(str(factories.attachment().pk)).rpartition("/")[2]
    monkeypatch.setattr(links, "LIFETIME", timedelta(seconds=-1))
    assert Client().get(f"/files/{token}").status_code == 404


def test_upload_that_fails_for_now_is_tried_again_and_sends_once(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    message = say(conversation, rita, attachment_id=upload(conversation, rita).pk)
    room.fault("whatsapp", "disconnect_after_accept", count=1)
    room.work()
    Message.objects.filter(send_after__isnull=False).update(send_after=timezone.now())
    make_due()
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.attempts) == ("sent", 2), "it was not taken for unknown"
    assert sent(room)["type"] == "image"


def test_message_whose_file_is_gone_fails_and_says_so(room: Room, rita: User, media_folder: Path) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    kept = upload(conversation, rita)
    message = say(conversation, rita, attachment_id=kept.pk)
    kept.file.storage.delete(str(kept.file.name))
    room.work()
    message.refresh_from_db()
    assert (message.delivery, message.error_code) == ("failed", Code.SEND_FILE)


@pytest.mark.parametrize(
    ("content", "mime_type", "says"),
    [
        (b"MZ", "application/x-msdownload", "application/x-msdownload cannot be sent"),
        (b"", "image/png", "is empty"),
        (b"GIF89a", "image/png", "not of the type image/png"),
        (PNG + b"x" * 5 * 1024 * 1024, "image/png", "may have 5 MB"),
    ],
)
def test_file_that_no_platform_takes_is_refused_in_words(
    rita: User, content: bytes, mime_type: str, says: str
) -> None:
    with pytest.raises(AttachmentRefusedError, match=re.escape(says)):
        upload(factories.conversation(), rita, content, mime_type)
    assert not Attachment.objects.exists()


def test_audio_takes_no_caption(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    kept = upload(conversation, rita, b"OggS", "audio/ogg", name="hello.ogg")
    with pytest.raises(NotWrittenError, match="Audio goes without words"):
        say(conversation, rita, "Listen", attachment_id=kept.pk)


def test_file_of_another_conversation_is_not_sent(room: Room, rita: User) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    foreign = upload(factories.conversation(), rita)
    with pytest.raises(NotWrittenError, match="is gone"):
        say(conversation, rita, attachment_id=foreign.pk)


def test_file_that_no_message_came_to_name_is_deleted_after_a_day(
    room: Room, rita: User, media_folder: Path
) -> None:
    conversation = heard(room)
    take_over(conversation, rita)
    two_days_ago = timezone.now() - timedelta(days=2)
    named = upload(conversation, rita, now=two_days_ago)
    say(conversation, rita, attachment_id=named.pk)
    upload(conversation, rita, now=two_days_ago)
    fresh = upload(conversation, rita)
    assert len(files_in(media_folder)) == 3
    run = housekeeping.run(now=timezone.now())
    assert run is not None
    assert run.counts["orphaned_attachments_deleted"] == 1
    assert set(Attachment.objects.all()) == {named, fresh}
    assert files_in(media_folder) == {str(named.pk), str(fresh.pk)}


def test_retention_deletes_files(media_folder: Path) -> None:
    tenant = factories.tenant(retention_days=10)
    conversation = factories.conversation(channel=factories.channel(agent=factories.agent(tenant=tenant)))
    factories.attachment(conversation=conversation, created_at=timezone.now() - timedelta(days=11))
    kept = factories.attachment(conversation=conversation, created_at=timezone.now() - timedelta(hours=1))
    housekeeping.run(now=timezone.now())
    assert list(Attachment.objects.all()) == [kept]
    assert files_in(media_folder) == {str(kept.pk)}


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_only_who_shows_a_pass_may_send_the_web_process_a_large_body(rita: User) -> None:
    address = "/review/conversations/1/attachments/"
    assert body_limit.most_bytes(f"{address}?pass={passes.issue(1, rita.pk)}") > 100 * 1024 * 1024
    for other in (address, f"{address}?pass=forged", f"/review/?pass={passes.issue(1, rita.pk)}"):
        assert body_limit.most_bytes(other) < 5 * 1024 * 1024
