"""The strip as pages fetch it anew: for all staff who may see anything that a switch could touch."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pipeline.controls.strip import may_watch, strip_for


@never_cache
@require_safe
def strip(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not isinstance(user, User) or not user.is_active or not user.is_staff or not may_watch(user):
        return HttpResponse(status=403)
    return render(request, "review/strip.html", {"strip": strip_for(user, now=timezone.now())})
