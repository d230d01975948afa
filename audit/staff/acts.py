"""What staff do to records besides editing them: an act says what will happen, asks why, makes one domain call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from audit.staff.scope import ScopedAdmin
from audit.staff.show import Text, Tone, address

MOST_AT_ONCE = 10_000
CONFIRMED = "confirmed"

Rows = QuerySet[Any]
Counted = Callable[[int], str]
"""A sentence about so many records."""


class Perform(Protocol):
    """The domain call: one transaction with its audit entries. Returns to how many records it was done."""

    def __call__(self, ids: list[Any], *, by: str, reason: str, now: datetime) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`possible` narrows rows to those it can be done to; `refusal` says why not to the others.

    `right` is the verb of the permission that it takes. `in_list`: also for many rows at once.
    """

    name: str
    title: Text
    icon: str
    possible: Callable[[Rows], Rows]
    refusal: Text
    announcement: Counted
    done: Counted
    perform: Perform
    warning: Text = ""
    tone: Tone = Tone.INFO
    in_list: bool = True
    right: str = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An act that this person may do to this record now."""

    title: Text
    icon: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The rows somebody chose, and the page they came from. `fields` tell a list's choice once more.

    `name` is that of the one record, where it is one that was looked at.
    """

    rows: Rows
    back: str
    name: str = ""
    fields: Mapping[str, list[str]] = field(default_factory=dict)

    def ids(self, act: Act) -> list[Any]:
        """The oldest, where there are more than can be done at once."""
        return list(act.possible(self.rows).order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])

    def number(self) -> int:
        return self.rows.order_by()[:MOST_AT_ONCE].count()


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autofocus": True}),
        help_text=_("It stands in the audit trail beside your name."),
    )


class ActingAdmin(ScopedAdmin):
    """Offers `acts` to whoever has the right to them, on the record's page and for rows selected in the list."""

    acts: tuple[Act, ...] = ()
    change_form_outer_before_template = "admin/parts/offers.html"

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        codename = get_permission_codename(act.right, self.opts)
        may = request.user.has_perm(f"{self.opts.app_label}.{codename}")
        return bool(may) and self.is_in_reach(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        listed = [act for act in self.acts if act.in_list and self.may_act(request, act)]
        return actions | {act.name: (partial(_on_list, act), act.name, act.title) for act in listed}

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        return [*map(self._url, self.acts), *urls]

    def _url(self, act: Act) -> URLPattern:
        view = self.admin_site.admin_view(partial(self.act_view, act=act))
        url: URLPattern = path(f"<path:object_id>/{act.name}/", view, name=self._url_name(act))
        return url

    def _url_name(self, act: Act) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{act.name}"

    def act_view(self, request: HttpRequest, object_id: str, act: Act) -> HttpResponse:
        if not self.may_act(request, act):
            raise PermissionDenied
        record = self.get_object(request, unquote(object_id))
        if record is None:
            missing: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return missing
        rows = self.model._default_manager.filter(pk=record.pk)
        return self.ask_or_act(request, act, Subject(rows=rows, back=address(record), name=str(record)))

    def ask_or_act(self, request: HttpRequest, act: Act, subject: Subject) -> HttpResponse:
        form = ReasonForm(request.POST if CONFIRMED in request.POST else None)
        ids = subject.ids(act)
        if ids and form.is_valid():
            return self._act(request, act, ids, form.cleaned_data["reason"], subject.back)
        return self._ask(request, act, subject, form, len(ids))

    def _act(self, request: HttpRequest, act: Act, ids: list[Any], reason: str, back: str) -> HttpResponse:
        done = act.perform(ids, by=request.user.get_username(), reason=reason, now=timezone.now())
        text = act.done(done) if done else gettext("Nothing was done: it was changed meanwhile.")
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)
        return HttpResponseRedirect(back)

    def _ask(
        self, request: HttpRequest, act: Act, subject: Subject, form: ReasonForm, number: int
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": act.title,
            "opts": self.opts,
            "act": act,
            "form": form,
            "announcement": act.announcement(number) if number else "",
            "name": subject.name,
            "number": number,
            "left": subject.number() - number,
            "most": MOST_AT_ONCE if number == MOST_AT_ONCE else 0,
            "back": subject.back,
            "fields": subject.fields,
            "confirmed": CONFIRMED,
        }
        return TemplateResponse(request, "admin/act.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        record = kwargs.get("obj")
        offers = self._offers(request, record) if record else []
        page: HttpResponse = super().render_change_form(
            request, context | {"offers": offers}, *args, **kwargs
        )
        return page

    def _offers(self, request: HttpRequest, record: Model) -> list[Offer]:
        rows = self.model._default_manager.filter(pk=record.pk)
        allowed = [act for act in self.acts if self.may_act(request, act)]
        return [self._offer(act, record) for act in allowed if act.possible(rows).exists()]

    def _offer(self, act: Act, record: Model) -> Offer:
        where = reverse(f"admin:{self._url_name(act)}", args=[quote(record.pk)])
        return Offer(title=act.title, icon=act.icon, address=where)


def _on_list(act: Act, model_admin: ActingAdmin, request: HttpRequest, rows: Rows) -> HttpResponse:
    """A list's action: the same page, which says the choice of rows once more when it is confirmed."""
    chosen = {name: request.POST.getlist(name) for name in ("action", "select_across", ACTION_CHECKBOX_NAME)}
    return model_admin.ask_or_act(
        request, act, Subject(rows=rows, back=request.get_full_path(), fields=chosen)
    )
