"""The history of what people edit: shown as far as one sees the record itself, rewritten only by who may change it."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from simple_history.admin import SimpleHistoryAdmin

from audit.staff.scope import ScopedAdmin


class HistoryAdmin(SimpleHistoryAdmin, ScopedAdmin):
    def get_history_queryset(
        self, request: HttpRequest, history_manager: Any, pk_name: str, object_id: Any
    ) -> QuerySet[Any]:
        return self.narrowed(
            super().get_history_queryset(request, history_manager, pk_name, object_id), request
        )

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Simple-history asks for the right to view alone, also of who sends the form."""
        if request.method == "POST" and not self.has_change_permission(request):
            raise PermissionDenied
        if not self._has_version(request, object_id, version_id):
            raise Http404
        page: HttpResponse = super().history_form_view(request, object_id, version_id, *args, **kwargs)
        return page

    def _has_version(self, request: HttpRequest, object_id: str, version_id: str) -> bool:
        history: Any = self.model.history
        pk_name = self.opts.pk.attname
        try:
            versions = history.filter(history_id=version_id, **{pk_name: object_id})
            return self.narrowed(versions, request).exists()
        except (ValueError, ValidationError):  # no such id can be
            return False
