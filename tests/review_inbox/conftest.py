import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import factories
from tests.engine_room import database_threads, loop_thread, outside, room

__all__ = ["database_threads", "loop_thread", "outside", "room"]

REVIEWER = ("view_conversation", "view_turn", "view_reviewitem", "decide_reviewitem")
AUDITOR = ("view_conversation", "view_turn", "view_reviewitem", "export_reviewitem")


@pytest.fixture
def rita(db: None) -> User:
    return factories.user(*REVIEWER, username="rita")


@pytest.fixture
def reviewer(rita: User) -> Client:
    return signed_in(rita)


@pytest.fixture
def auditor(db: None) -> Client:
    return signed_in(factories.user(*AUDITOR, username="audrey"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
