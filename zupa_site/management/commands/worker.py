"""Runs the workers of this machine until SIGTERM or Ctrl-C; then lets what is in flight land."""

import signal

from django.conf import settings
from django.core.management.base import BaseCommand

from pipeline.engine.supervisor import Supervisor
from zupa_site.refusals import refuse_demo_in_production


class Command(BaseCommand):
    help = "Run the pipeline's workers, supervised. Stop with Ctrl-C or SIGTERM."

    def handle(self, *args: object, **options: object) -> None:
        refuse_demo_in_production(settings.ZUPA)
        supervisor = Supervisor()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop_requested.set())
        supervisor.run()
