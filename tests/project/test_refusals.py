from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from conversations.models import Tenant
from zupa_site.demo.seed import seed
from zupa_site.environment import ConfigurationError, Environment, Name
from zupa_site.refusals import refuse_demo_in_production

pytestmark = pytest.mark.django_db


def in_production(home: Path) -> Environment:
    return replace(settings.ZUPA, name=Name.PRODUCTION, home=home)


def test_production_refuses_the_demo_by_name(home: Path) -> None:
    seed(replace(settings.ZUPA, home=home), now=timezone.now())
    with pytest.raises(ConfigurationError) as refused:
        refuse_demo_in_production(in_production(home))
    named = {sentence.split("'")[1] for sentence in str(refused.value).splitlines()}
    assert named == {"admin", "auditor", "reviewer", "demo"}


def test_a_changed_password_is_accepted(home: Path) -> None:
    seed(replace(settings.ZUPA, home=home), now=timezone.now())
    for user in User.objects.all():
        user.set_password("something of one's own")
        user.save()
    with pytest.raises(ConfigurationError, match=r"^The demo tenant 'demo' is in the database"):
        refuse_demo_in_production(in_production(home))


def test_production_without_the_demo_starts(home: Path) -> None:
    Tenant.objects.create(slug="acme", name="Acme")
    User.objects.create_user("admin", password="something of one's own")
    refuse_demo_in_production(in_production(home))


def test_development_keeps_its_demo(home: Path) -> None:
    development = replace(settings.ZUPA, home=home)
    seed(development, now=timezone.now())
    refuse_demo_in_production(development)
