import pytest

from conversations.models import ChannelKind
from tests import factories
from tests.ingress.platforms import Meta, OwnSystem, Waha


@pytest.fixture
def meta(db: None) -> Meta:
    """WhatsApp Cloud with a channel of ours to call."""
    return Meta(factories.channel(external_id="1001"))


@pytest.fixture
def own_system(db: None) -> OwnSystem:
    return OwnSystem(factories.channel(kind=ChannelKind.HTTP))


@pytest.fixture
def waha(db: None) -> Waha:
    return Waha(factories.channel(kind=ChannelKind.WAHA, external_id="shop", api_url="http://127.0.0.1:9"))
