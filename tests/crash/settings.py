"""Zupa's settings with a tool besides that ends the process it runs in."""

from zupa_site.settings import *  # noqa: F403
from zupa_site.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.crash"]
