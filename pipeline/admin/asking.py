"""Records that nobody edits: their add page shows what would happen, then makes one domain call."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from audit.staff.base import StaffAdmin
from audit.staff.show import Text, address
from conversations.access import tenant_ids
from conversations.models import Tenant
from pipeline.controls.errors import ControlError

CONFIRMED = "confirmed"
CHANGE = "change"


def person(request: HttpRequest) -> User:
    """Who is logged in; the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def person_named(username: str) -> User:
    return User.objects.get(username=username)


def seen_tenants(user: User) -> Any:
    seen = tenant_ids(user)
    return Tenant.objects.all() if seen is None else Tenant.objects.filter(pk__in=seen)


class AskingForm(forms.Form):
    """Knows who asks, and so what may be chosen."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user


class AskingAdmin(StaffAdmin):
    """`asks` names what the add page is for; `confirms`: it shows what would happen before it happens."""

    asking_form: type[AskingForm]
    asking_template = "admin/pipeline/asking/page.html"
    asks: Text = ""
    intro: Text = ""
    confirms = True

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        asked = request.method == "POST"
        form = self.asking_form(
            request.POST if asked else None, user=person(request), initial=request.GET.dict()
        )
        if not asked or CHANGE in request.POST or not form.is_valid():
            return self._page(request, form)
        try:
            if self.confirms and CONFIRMED not in request.POST:
                return self._page(request, form, preview=self.preview(form))
            return self.perform(request, form)
        except ControlError as error:
            form.add_error(None, str(error))
            return self._page(request, form)

    def preview(self, form: Any) -> dict[str, Any]:
        """What would happen: `said` in a sentence or two, `facts` as label and value."""
        raise NotImplementedError

    def perform(self, request: HttpRequest, form: Any) -> HttpResponse:
        """The domain call, and where to go from there. Raises `ControlError`."""
        raise NotImplementedError

    def done(self, request: HttpRequest, text: str, record: Model) -> HttpResponse:
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(address(record))

    def _page(
        self, request: HttpRequest, form: forms.Form, preview: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": self.asks,
            "opts": self.opts,
            "intro": self.intro,
            "form": form,
            "preview": preview,
            "confirms": self.confirms,
        }
        return TemplateResponse(request, self.asking_template, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        record = kwargs.get("obj")
        shown = context | {"show_history": False} | (self.story(record, request) if record else {})
        page: HttpResponse = super().render_change_form(request, shown, *args, **kwargs)
        return page

    def story(self, record: Any, request: HttpRequest) -> dict[str, Any]:
        """What the record's own template needs beside the record."""
        return {}
