import pytest

from pipeline.models import ProcessedEvent, Step, Turn
from tests import factories

pytestmark = pytest.mark.django_db


def test_fill_makes_as_many_rows_as_asked_for() -> None:
    factories.fill(12)

    assert ProcessedEvent.objects.count() == Turn.objects.count() == Step.objects.count() == 12


def test_every_factory_satisfies_the_constraints_on_its_own() -> None:
    factories.event()
    factories.event(conversation=None, outcome="ignored")
    factories.turn(status="running")
    factories.turn(status="failed")
    factories.step(status="started")
    factories.outbound()
    factories.message()
    factories.session()
    factories.leased_mailbox()
    factories.worker()
    factories.conversation(owner=factories.superuser())
    factories.note()
    factories.canned_reply()
    factories.attachment()
    factories.presence()
