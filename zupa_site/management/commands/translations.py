"""Keep translations complete: `--update` after changing text, `--compile` after translating."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from zupa_site.environment import CHECKOUT
from zupa_site.translations import Catalogue, texts_in


class Command(BaseCommand):
    help = "Compare the translations with the sources; update, compile or check them."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--check", action="store_true", help="fail on anything missing, unused, wrong or stale"
        )
        what.add_argument(
            "--update", action="store_true", help="bring new and changed text into the .po file"
        )
        what.add_argument("--compile", action="store_true", help="make the .mo file that Django reads")

    def handle(self, *args: Any, **options: Any) -> None:
        texts = texts_in(CHECKOUT)
        catalogue = Catalogue(CHECKOUT / "locale" / "pt_BR" / "LC_MESSAGES")
        if options["update"]:
            catalogue.update(texts)
        elif options["compile"]:
            catalogue.compile()
        problems = catalogue.problems(texts)
        for problem in problems:
            self.stdout.write(problem)
        if problems and options["check"]:
            raise CommandError(
                f"{len(problems)} to mend: `manage.py translations --update`, translate locale/pt_BR/"
                "LC_MESSAGES/django.po, then `manage.py translations --compile`."
            )
        self.stdout.write(f"{len(texts)} texts, {len(problems)} to mend.")
