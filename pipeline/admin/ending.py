"""When something ends by itself: after a usual length of time, or at a moment of one's own."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

OWN = "own"
LENGTHS = {
    "900": _("in 15 minutes"),
    "3600": _("in an hour"),
    "14400": _("in 4 hours"),
    "86400": _("in a day"),
    "604800": _("in a week"),
}


class EndingForm(forms.Form):
    """Two fields that answer one question; `ends_at` is what they come to."""

    ends_in = forms.ChoiceField(
        label=_("Ends"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        choices=[("", _("when somebody ends it")), *LENGTHS.items(), (OWN, _("at a time of your own"))],
    )
    own_end = forms.DateTimeField(
        label=_("at"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text=_("In the time zone UTC."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("ends_in") == OWN and not cleaned.get("own_end") and "own_end" not in self.errors:
            self.add_error("own_end", _("Say when."))
        return cleaned

    @property
    def ends_at(self) -> datetime | None:
        chosen = self.cleaned_data["ends_in"]
        if chosen == OWN:
            own: datetime = self.cleaned_data["own_end"]
            return own
        return timezone.now() + timedelta(seconds=int(chosen)) if chosen else None
