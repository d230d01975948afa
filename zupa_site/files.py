"""Where a platform fetches the file of a message that we sent: by a signed address, nothing else opens it."""

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from conversations import links
from conversations.models import Attachment
from conversations.serving import file_response


@require_safe
def file(request: HttpRequest, token: str) -> HttpResponseBase:
    attachment_id = links.attachment_id(token)
    attachment = Attachment.objects.filter(pk=attachment_id).first() if attachment_id else None
    if attachment is None:
        raise Http404
    return file_response(attachment)
