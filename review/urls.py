from django.urls import path

from review import inbox_views, item_views, takeover_views, views
from review.strip import strip

app_name = "review"
urlpatterns = [
    path("", inbox_views.inbox, name="inbox"),
    path("strip/", strip, name="strip"),
    path("items/rows/", inbox_views.rows, name="inbox_rows"),
    path("items/rows/more/", inbox_views.more_rows, name="more_inbox_rows"),
    path("items/open/", inbox_views.number_open, name="number_open"),
    path("items/chosen/", inbox_views.chosen, name="chosen"),
    path("items/decide/", inbox_views.decide_chosen, name="decide_chosen"),
    path("items/<int:item_id>/", item_views.item, name="item"),
    path("items/<int:item_id>/standing/", item_views.item_standing, name="item_standing"),
    path("items/<int:item_id>/claim/", item_views.claim, name="claim"),
    path("items/<int:item_id>/release/", item_views.release, name="release"),
    path("items/<int:item_id>/decide/", item_views.decide, name="decide"),
    path("cases.jsonl", inbox_views.cases, name="cases"),
    path("conversations/", views.conversations, name="conversations"),
    path("conversations/rows/", views.rows, name="rows"),
    path("conversations/rows/more/", views.more_rows, name="more_rows"),
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
