"""The addresses of the site; the contract's table is in docs/."""

from django.contrib import admin
from django.urls import include, path

from zupa_site import dashboard, files, logins, probes
from zupa_site.api import api

handler500 = "zupa_site.error_pages.accident"

urlpatterns = [
    path("api/", api.urls),
    path("health/live", probes.live, name="health-live"),
    path("health/ready", probes.ready, name="health-ready"),
    path("metrics", probes.prometheus, name="metrics"),
    path("admin/dashboard/fragment", dashboard.fragment, name="dashboard-fragment"),
    path(
        "admin/password_change/",
        admin.site.admin_view(logins.change_own_password, cacheable=True),
        name="own-password",
    ),
    path("admin/", admin.site.urls),
    path("review/", include("review.urls")),
    path("files/<str:token>", files.file, name="file"),
    path("i18n/", include("django.conf.urls.i18n")),
]
