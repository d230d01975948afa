"""The machine's codes and decisions in words, for templates."""

from django import template
from django.utils.translation import gettext

from pipeline.error_help import HELP
from pipeline.health.decisions import decisions

register = template.Library()

register.filter("decisions", decisions)


@register.inclusion_tag("admin/parts/error_help.html")
def error_help(code: str) -> dict[str, str]:
    """What the code means and what to do next; nothing where there is no code."""
    help_text = HELP.get(code)
    if help_text is None:
        return {}
    return {
        "meaning": gettext(help_text.meaning),
        "system": gettext(help_text.system),
        "person": gettext(help_text.person),
    }
