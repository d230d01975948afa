"""Controls on pages that are about something else: the strip on top, and the way to set a switch for a record."""

from typing import Any
from urllib.parse import urlencode

from django import template
from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone

from pipeline.controls import words
from pipeline.controls.operations import TARGETS
from pipeline.controls.strip import may_watch, strip_for

register = template.Library()

register.filter("switch_what", words.what)
register.filter("switch_over", words.over)
register.filter("switch_effect", words.effect)


@register.inclusion_tag("review/strip.html", takes_context=True)
def strip(context: dict[str, Any]) -> dict[str, Any]:
    """Nothing for whoever is not logged in as staff, or may see nothing that a switch could touch."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if not isinstance(user, User) or not user.is_staff or not may_watch(user):
        return {}
    return {"strip": strip_for(user, now=timezone.now()), "csrf_token": context.get("csrf_token")}


@register.simple_tag(takes_context=True)
def switch_address(context: dict[str, Any], record: object) -> str:
    """Where a switch for this record is set; empty where it is none that has switches, or this person may not."""
    scope = next((scope for scope, model in TARGETS.items() if isinstance(record, model)), None)
    user = getattr(context.get("request"), "user", None)
    if scope is None or not isinstance(record, Model) or not user or not user.has_perm("pipeline.add_switch"):
        return ""
    return f"{reverse('admin:pipeline_switch_add')}?{urlencode({'scope': scope, scope: record.pk})}"
