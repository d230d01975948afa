import json
from string import Template
from typing import Any

from django import forms
from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from audit.staff.base import EmptyState
from audit.staff.filters import RecordFilter
from audit.staff.show import EMPTY
from conversations.admin.base import ConfigurationAdmin
from conversations.models import Agent, Tenant
from pipeline.agents import registry
from pipeline.policies import risk

EXAMPLES = {
    "tool": '{"on": "tool", "tool": "request_refund", "argument": "amount", "operator": ">", "value": 100}',
    "language": '{"on": "language", "not_in": ["en", "pt"]}',
    "confidence": '{"on": "confidence", "below": 0.6}',
}


class RulesField(forms.JSONField):
    """Risk rules, a rule a line, so that people can read them."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return super().prepare_value(value)
        rules = ",\n".join(f"  {json.dumps(rule, ensure_ascii=False)}" for rule in value)
        return f"[\n{rules}\n]" if rules else "[]"

    def clean(self, value: Any) -> Any:
        rules = super().clean(value)
        if rules in self.empty_values:
            return []
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise forms.ValidationError(_("This must be a list of rules: [{…}, {…}]."))
        try:
            risk.parse(rules)
        except ValidationError as error:
            raise forms.ValidationError([_problem(each) for each in error.errors()]) from error
        return rules


def _rules_help() -> str:
    text = gettext(
        "What waits for a person: a JSON list of rules (docs/review.md). About a tool's call: %(tool)s; about an "
        "answer, by what it answers to: %(language)s; or by how sure the model was: %(confidence)s."
    )
    return text % EXAMPLES


def _problem(error: ErrorDetails) -> str:
    """Which rule, where in it, and what."""
    number, *where = error["loc"]
    words = {"number": int(number) + 1, "where": ".".join(map(str, where)) or "–", "what": error["msg"]}
    return gettext("Rule %(number)d: %(where)s: %(what)s.") % words


class AgentForm(forms.ModelForm[Agent]):
    """Tools are ticked, not typed. One that an agent names and no app offers any more is kept until it is unticked."""

    allowed_tools = forms.MultipleChoiceField(
        label=_("Allowed tools"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("What this agent may do. Tools come from the agent_tools modules of the installed apps."),
    )

    risk_rules = RulesField(
        label=_("Risk rules"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false", "class": "zupa-code"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tools = self.fields.get("allowed_tools")
        if isinstance(tools, forms.MultipleChoiceField):
            tools.choices = self._tools()
        if "risk_rules" in self.fields:
            self.fields["risk_rules"].help_text = _rules_help()

    def clean_tenant(self) -> Tenant:
        tenant: Tenant = self.cleaned_data["tenant"]
        if self.instance.pk and self.instance.channels.exclude(tenant=tenant).exists():
            raise forms.ValidationError(
                _("It answers on channels of its tenant: move or delete those first.")
            )
        return tenant

    def _tools(self) -> list[tuple[str, Any]]:
        offered = [(name, _tool_label(name)) for name in registry.names()]
        gone = sorted(set(self.instance.allowed_tools) - set(registry.names()))
        return offered + [(name, _("%(name)s (no app offers it)") % {"name": name}) for name in gone]


def _tool_label(name: str) -> str:
    tool = registry.get(name)
    return f"{name}: {tool.description.splitlines()[0]}" if tool else name


@admin.register(Agent)
class AgentAdmin(ConfigurationAdmin):
    tenant_path = "tenant"
    form = AgentForm
    list_display = ("name", "tenant", "model", "language", "tool_names")
    list_select_related = ("tenant",)
    list_filter = (("tenant", RecordFilter), ("language", ChoicesDropdownFilter))
    search_fields = ("id__exact", "name__icontains", "model__icontains")
    search_help_text = _("Part of a name or of a model's name.")
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "language", "policy_version")}),
        (
            _("What it says"),
            {
                "fields": (
                    "prompt_template",
                    "prompt_preview",
                    "fallback_reply",
                    "overload_reply",
                    "refusal_reply",
                )
            },
        ),
        (_("How it thinks"), {"fields": ("model", "temperature", "max_output_tokens", "history_limit")}),
        (_("When the model does not answer"), {"fields": ("fallback_model", "outage_policy")}),
        (_("What it may do"), {"fields": ("allowed_tools", "max_tool_iterations")}),
        (
            _("What people decide"),
            {"fields": ("mode", "risk_rules", "review_minutes", "review_default")},
        ),
        (_("When a person has taken over"), {"fields": ("takeover_idle_minutes", "takeover_idle_policy")}),
        (_("Pace"), {"fields": ("burst_window_s", "session_idle_minutes", "rate_limit_per_minute")}),
    )
    readonly_fields = ("policy_version", "prompt_preview")

    @admin.display(description=_("tools"))
    def tool_names(self, agent: Agent) -> str:
        return ", ".join(agent.allowed_tools) or "–"

    @admin.display(description=_("policy version"))
    def policy_version(self, agent: Agent) -> str:
        newest = agent.history.values_list("history_id", flat=True).first() if agent.pk else None
        return str(newest or "–")

    @admin.display(description=_("reads as"))
    def prompt_preview(self, agent: Agent) -> str:
        if not agent.pk:
            return EMPTY
        return format_html('<div class="zupa-prompt">{}</div>', _preview(agent))

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No agent yet"),
            text=_(
                "An agent is a prompt, a model and the tools it may use. Add one, then a channel that it answers on."
            ),
        )


def _preview(agent: Agent) -> str:
    """The stored template with values such as a turn fills in."""
    return Template(agent.prompt_template).safe_substitute(
        agent_name=agent.name,
        tenant_name=agent.tenant.name,
        contact_name="Maria Silva",
        language=agent.language,
        now=timezone.now().strftime("%Y-%m-%d %H:%M UTC"),
    )
