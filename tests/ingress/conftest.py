import pytest

from conversations.models import ChannelKind
from tests import factories
from tests.ingress.platforms import Meta, OwnSystem


@pytest.fixture
def meta(db: None) -> Meta:
    """WhatsApp Cloud with a channel of ours to call."""
    return Meta(factories.channel(external_id="1001"))


@pytest.fixture
def own_system(db: None) -> OwnSystem:
    return OwnSystem(factories.channel(kind=ChannelKind.HTTP))
