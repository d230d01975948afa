from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import RecordFilter
from audit.staff.show import link, moment_column
from conversations.models import Contact, Conversation


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    change_form_outer_before_template = "admin/parts/offers.html"
    tenant_path = "tenant"
    list_display = ("__str__", "address", "channel", "tenant", "created")
    list_select_related = ("channel", "tenant")
    list_filter = (("channel", RecordFilter), ("tenant", RecordFilter))
    search_fields = ("address__exact", "address__startswith", "name__icontains")
    search_help_text = _("Address (such as a phone number) or part of a name.")
    fields = ("name", "address", "thread", "channel", "tenant", "created")
    readonly_fields = ("thread", "created")
    deferred = ("channel__credentials",)

    created = moment_column("created_at", _("first seen"))

    @admin.display(description=_("conversation"))
    def thread(self, contact: Contact) -> Any:
        return link(Conversation.objects.filter(contact=contact).first(), _("Open the conversation"))

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("A contact appears with the first message from a new address."))
