from django.urls import path

from review import takeover_views, views
from review.strip import strip

app_name = "review"
urlpatterns = [
    path("", views.conversations, name="conversations"),
    path("strip/", strip, name="strip"),
    path("rows/", views.rows, name="rows"),
    path("rows/more/", views.more_rows, name="more_rows"),
    path("conversations/<int:conversation_id>/", views.conversation, name="conversation"),
    path("conversations/<int:conversation_id>/transcript/", views.transcript, name="transcript"),
    path("conversations/<int:conversation_id>/transcript/earlier/", views.earlier, name="earlier"),
    path("conversations/<int:conversation_id>/standing/", takeover_views.standing_fragment, name="standing"),
    path("conversations/<int:conversation_id>/take-over/", takeover_views.take_over, name="take_over"),
    path("conversations/<int:conversation_id>/hand-back/", takeover_views.hand_back, name="hand_back"),
    path("conversations/<int:conversation_id>/say/", takeover_views.say, name="say"),
    path("conversations/<int:conversation_id>/note/", takeover_views.note, name="note"),
    path("conversations/<int:conversation_id>/canned/", takeover_views.canned, name="canned"),
    path("conversations/<int:conversation_id>/attachments/", takeover_views.attach, name="attach"),
    path(
        "conversations/<int:conversation_id>/attachments/<uuid:attachment_id>/",
        takeover_views.attachment,
        name="attachment",
    ),
]
