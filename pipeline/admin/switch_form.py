"""What somebody says when they set a switch."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from conversations.access import tenant_ids, visible
from conversations.models import Agent, Channel, Contact, Conversation, Tenant
from pipeline import models
from pipeline.admin.asking import AskingForm, seen_tenants
from pipeline.admin.ending import EndingForm
from pipeline.agents import registry
from pipeline.controls.operations import Wanted
from pipeline.policies.switches import OFFERED, Capability, SwitchAction, SwitchScope


def _chosen(rows: Any, label: Any) -> forms.ModelChoiceField[Any]:
    return forms.ModelChoiceField(rows, label=label, required=False, widget=UnfoldAdminSelectWidget)


def _numbered(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Its number: it stands in the address of its page."),
    )


class SwitchForm(AskingForm, EndingForm):
    what = forms.ChoiceField(label=_("What is to happen"), widget=forms.RadioSelect)
    tool = forms.ChoiceField(label=_("Which tool"), required=False, widget=UnfoldAdminSelectWidget)
    scope = forms.ChoiceField(
        label=_("For whom"), choices=models.SwitchScope.choices, widget=UnfoldAdminSelectWidget
    )
    tenant = _chosen(Tenant.objects.none(), _("Tenant"))
    channel = _chosen(Channel.objects.none(), _("Channel"))
    agent = _chosen(Agent.objects.none(), _("Agent"))
    conversation = _numbered(_("Conversation"))
    contact = _numbered(_("Contact"))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("It stands beside your name on top of every page until the switch ends."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        self._set(
            "what", choices=[(f"{what}:{action}", offer.effect) for (what, action), offer in OFFERED.items()]
        )
        self._set("tool", choices=[("", "–"), *((name, name) for name in registry.names())])
        self._set("tenant", queryset=seen_tenants(user))
        self._set("channel", queryset=visible(Channel.objects.defer("credentials"), user))
        self._set("agent", queryset=visible(Agent.objects.all(), user))
        if tenant_ids(user) is not None:
            self._set("scope", choices=models.SwitchScope.choices[1:])

    def _set(self, name: str, **attributes: Any) -> None:
        for attribute, value in attributes.items():
            setattr(self.fields[name], attribute, value)

    def offers(self) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
        """By capability: its name, and each action's value, word and effect."""
        for capability in Capability:
            actions = [action for action in SwitchAction if (capability, action) in OFFERED]
            if actions:
                yield (
                    capability.value,
                    str(models.Capability(capability).label),
                    [_offer(capability, action) for action in actions],
                )

    @property
    def chosen(self) -> str:
        return str(self["what"].value() or "")

    def clean_conversation(self) -> int | None:
        return self._number(Conversation, "conversation")

    def clean_contact(self) -> int | None:
        return self._number(Contact, "contact")

    def _number(self, model: Any, name: str) -> int | None:
        number: int | None = self.cleaned_data[name]
        if number is None or visible(model.objects.filter(pk=number), self.user).exists():
            return number
        raise forms.ValidationError(gettext("There is none with this number."))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        scope = cleaned.get("scope")
        if scope and scope != SwitchScope.EVERYTHING and not cleaned.get(scope) and scope not in self.errors:
            self.add_error(scope, _("Say which."))
        if cleaned.get("what", "").startswith(f"{Capability.TOOL}:") and not cleaned.get("tool"):
            self.add_error("tool", _("Say which."))
        return cleaned

    def wanted(self) -> Wanted:
        capability, action = self.cleaned_data["what"].split(":")
        scope = SwitchScope(self.cleaned_data["scope"])
        target = self.cleaned_data.get(scope.value)
        return Wanted(
            scope=scope,
            target_id=getattr(target, "pk", target),
            capability=Capability(capability),
            action=SwitchAction(action),
            tool=self.cleaned_data["tool"] if capability == Capability.TOOL else "",
            reason=self.cleaned_data["reason"],
            ends_at=self.ends_at,
        )


def _offer(capability: Capability, action: SwitchAction) -> tuple[str, str, str]:
    effect = gettext(OFFERED[capability, action].effect)
    return f"{capability}:{action}", str(models.SwitchAction(action).label), effect
