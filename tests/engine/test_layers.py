"""Foreign keys point down the same layers that imports do, so that no app's rows hang on those of one above it."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.models import ForeignKey

LAYERS = ("zupa_site", "review", "pipeline", "conversations", "audit")
"""As the import contract in pyproject.toml names them."""
BELOW_ALL = {"auth", "contenttypes"}


def relations() -> list[tuple[str, str, str]]:
    """App, field, and the app it points to."""
    return [
        (model._meta.app_label, f"{model.__name__}.{field.name}", field.remote_field.model._meta.app_label)
        for model in apps.get_models()
        if model._meta.app_label in LAYERS
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey)
    ]


@pytest.mark.parametrize(("app", "field", "target"), relations())
def test_foreign_key_points_down(app: str, field: str, target: str) -> None:
    assert target in BELOW_ALL or LAYERS.index(target) >= LAYERS.index(app)


def test_evidence_hangs_on_nothing_but_evidence() -> None:
    assert [field for app, field, target in relations() if app == "audit" and target != "audit"] == []
