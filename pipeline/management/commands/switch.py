"""Switches from a shell: for when no page opens."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from pipeline.controls import incidents, operations, queries, words
from pipeline.controls.concerned import COUNTED_UP_TO, BlastRadius, blast_radius
from pipeline.controls.errors import ControlError
from pipeline.controls.operations import Wanted
from pipeline.models import Switch
from pipeline.policies.switches import Capability, SwitchAction, SwitchScope

EXAMPLES = """
  switch list
  switch set replies pause --for everything --reason "the shop's API is down" --by ana
  switch set tool stop --tool request_refund --for tenant 3 --until 2h --reason "double refunds" --by ana
  switch approve 12 --by rui
  switch lift 12 --by ana
  switch incident open --reason "nothing answers" --by ana
"""


class Command(BaseCommand):
    help = "List, set, approve, refuse and lift switches; open and close incidents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EXAMPLES
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("list", help="what is in force and what waits for a second person")
        _set_arguments(commands.add_parser("set", help="set a switch; shows what it touches"))
        for name in ("approve", "refuse", "lift"):
            one = commands.add_parser(name, help=f"{name} one by its number")
            one.add_argument("id", type=int)
            _named(one)
        incident = commands.add_parser("incident", help="open or close incident mode")
        incident.add_argument("state", choices=["open", "close"])
        _named(incident)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except ControlError as error:
            raise CommandError(str(error)) from error

    def _list(self, options: Any) -> None:
        if incident := queries.open_incident():
            self.stdout.write(f"incident {incident.pk} is open, by {incident.opened_by}: {incident.reason}")
        switches = list(queries.not_ended())
        for switch in switches:
            self._tell(switch)
        if not switches:
            self.stdout.write("Nothing is switched.")

    def _set(self, options: Any) -> None:
        wanted = _wanted(options)
        radius = blast_radius(wanted.scope, wanted.target_id)
        switch = operations.set_switch(wanted, by=_person(options["by"]), now=timezone.now())
        self._tell(switch)
        self.stdout.write(f"  {words.effect(switch)}")
        self.stdout.write(f"  It touches {_radius(radius)}.")

    def _approve(self, options: Any) -> None:
        self._tell(operations.approve(options["id"], by=_person(options["by"]), now=timezone.now()))

    def _refuse(self, options: Any) -> None:
        self._end(operations.refuse, options)

    def _lift(self, options: Any) -> None:
        self._end(operations.lift, options)

    def _end(self, end: Any, options: Any) -> None:
        by = _person(options["by"])
        self._tell(end(options["id"], by=by, reason=options["reason"], now=timezone.now()))

    def _incident(self, options: Any) -> None:
        by, now, reason = _person(options["by"]), timezone.now(), options["reason"]
        if options["state"] == "open":
            incident = incidents.open_incident(by=by, reason=reason, now=now)
            self.stdout.write(
                f"Incident {incident.pk} is open: switches over everything need no second person."
            )
            return
        open_one = queries.open_incident()
        if open_one is None:
            raise CommandError("No incident is open.")
        incidents.close_incident(open_one.pk, by=by, reason=reason, now=now)
        self.stdout.write(f"Incident {open_one.pk} is closed. Its switches stay in force: see `switch list`.")

    def _tell(self, switch: Switch) -> None:
        until = f", until {switch.ends_at:%Y-%m-%d %H:%M %Z}" if switch.ends_at else ""
        said = (
            f"switch {switch.pk} is {switch.get_status_display()}: {words.what(switch)}, {words.over(switch)}"
        )
        self.stdout.write(f"{said}, by {switch.requested_by}{until}: {switch.reason}")


def _set_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("capability", choices=[each.value for each in Capability])
    parser.add_argument("action", choices=[each.value for each in SwitchAction])
    parser.add_argument(
        "--for",
        dest="target",
        nargs="+",
        required=True,
        metavar=("SCOPE", "ID"),
        help=f"{', '.join(SwitchScope)}; all but everything with a number",
    )
    parser.add_argument("--tool", default="", help="which tool, for the capability tool")
    parser.add_argument("--until", default="", help="30m, 2h, 1d, or a time such as 2026-09-01T08:00+00:00")
    _named(parser)


def _named(parser: ArgumentParser) -> None:
    parser.add_argument("--by", required=True, metavar="USERNAME", help="who does it: it is on record")
    parser.add_argument("--reason", default="", help="why: it is on record")


def _wanted(options: Any) -> Wanted:
    scope, target_id = _target(options["target"])
    return Wanted(
        scope=scope,
        target_id=target_id,
        capability=Capability(options["capability"]),
        action=SwitchAction(options["action"]),
        tool=options["tool"],
        reason=options["reason"],
        ends_at=_until(options["until"]),
    )


def _target(words: list[str]) -> tuple[SwitchScope, int | None]:
    scope, *number = words
    if scope not in list(SwitchScope):
        raise CommandError(f"There is no scope {scope!r}: say one of {', '.join(SwitchScope)}.")
    if scope == SwitchScope.EVERYTHING:
        return SwitchScope.EVERYTHING, None
    if len(number) != 1 or not number[0].isdecimal():
        raise CommandError(f"Say which {scope} by its number, as in: --for {scope} 3")
    return SwitchScope(scope), int(number[0])


UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _until(text: str) -> Any:
    if not text:
        return None
    number, unit = text[:-1], text[-1]
    if number.isdecimal() and unit in UNITS:
        return timezone.now() + timedelta(**{UNITS[unit]: int(number)})
    at = parse_datetime(text)
    if at is None or at.tzinfo is None:
        raise CommandError(f"{text!r} is no end time: say 30m, 2h, 1d, or a time with its offset.")
    return at


def _person(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username!r}.")
    return user


def _radius(radius: BlastRadius) -> str:
    return ", ".join(
        f"{number}{'+' if number == COUNTED_UP_TO else ''} {name}"
        for number, name in (
            (radius.conversations, "conversations"),
            (radius.waiting_messages, "messages that wait for an answer"),
            (radius.queued_answers, "messages that wait to be sent"),
        )
    )
