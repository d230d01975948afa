"""The database's disk is full: nothing is acknowledged that is not stored."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from pipeline.models import ProcessedEvent
from tests.ingress.answers import refusal
from tests.ingress.platforms import Meta, text_message

FULL = """
CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER is_full BEFORE INSERT ON pipeline_processedevent EXECUTE FUNCTION is_full();
"""
"""What PostgreSQL raises when it finds no room, raised by itself."""


@pytest.fixture
def _full(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FULL)


@pytest.mark.usefixtures("_full")
def test_webhook_is_asked_to_come_again_while_the_disk_is_full(meta: Meta) -> None:
    answer = meta.say(text_message())
    assert refusal(answer, 503)["code"] == "database_away"
    assert int(answer.headers["retry-after"]) > 0
    assert not ProcessedEvent.objects.exists()


@pytest.mark.usefixtures("_full")
def test_engine_takes_a_full_disk_for_a_database_that_is_away() -> None:
    """It is run again by `in_database`, as every OperationalError is."""
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("INSERT INTO pipeline_processedevent DEFAULT VALUES")
