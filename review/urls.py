from django.urls import path

from review import views
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
]
