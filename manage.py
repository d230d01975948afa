#!/usr/bin/env python3
"""The door for commands: `python manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line

from zupa_site.entry import database_for, plain_refusals

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zupa_site.settings")
    with plain_refusals(), database_for(sys.argv):
        execute_from_command_line(sys.argv)
