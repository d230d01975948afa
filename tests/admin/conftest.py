import pytest
from django.test import Client

from tests import factories


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """Somebody who may do everything."""
    client.force_login(factories.superuser())
    return client
