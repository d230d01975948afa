import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import factories


@pytest.fixture
def reviewer(db: None) -> User:
    return factories.user("view_conversation", "view_turn", "view_processedevent", username="rita")


@pytest.fixture
def browser_of_reviewer(reviewer: User) -> Client:
    client = Client()
    client.force_login(reviewer)
    return client
