"""The strip as pages fetch it anew: for every member of staff, whatever else they may see."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pipeline.controls.strip import strip_for


@never_cache
@require_safe
def strip(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not isinstance(user, User) or not user.is_active or not user.is_staff:
        return HttpResponse(status=403)
    return render(request, "review/strip.html", {"strip": strip_for(user, now=timezone.now())})
