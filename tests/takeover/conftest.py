from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests import factories
from tests.engine_room import database_threads, loop_thread, outside, room

__all__ = ["database_threads", "loop_thread", "outside", "room"]

OPERATOR = ("view_conversation", "view_turn", "take_over_conversation", "add_note")


@pytest.fixture
def rita(transactional_db: None) -> User:
    return factories.user(*OPERATOR, username="Rita")


@pytest.fixture
def bruno(transactional_db: None) -> User:
    return factories.user(*OPERATOR, username="Bruno")


@pytest.fixture(autouse=True)
def media_folder(tmp_path: Path, settings: Any) -> Path:
    """Files of the test's own, in a folder that the web process of a browser test does not share."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"
