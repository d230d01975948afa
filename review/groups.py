"""Who does what here: four groups of staff, and what each may do. docs/access.md shows the same table."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.apps import apps as installed_apps
from django.utils.translation import gettext_lazy as _

from audit.staff.show import Text

Rights = tuple[str, ...]
OF_HISTORY = "_historical"
"""What the names of rights to tables of history have: nothing asks for those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """`rights` are named `app.codename`; a star stands for anything. They add to those of the role it is `above`."""

    name: str
    words: Text
    rights: Rights
    above: "Role | None" = None

    @property
    def all_rights(self) -> Rights:
        return (*(self.above.all_rights if self.above else ()), *self.rights)


def _every(verb: str, app: str, *models: str) -> Rights:
    return tuple(f"{app}.{verb}_{model}" for model in models)


REVIEWER = Role(
    name="reviewer",
    words=_("Reads conversations, decides review items, takes over, and answers by hand."),
    rights=(
        *_every("view", "conversations", "agent", "channel", "contact", "conversation", "message", "session"),
        *_every("view", "conversations", "attachment", "cannedreply", "note"),
        *_every("view", "pipeline", "processedevent", "step", "turn", "switch", "blocklistentry"),
        *_every("view", "review", "reviewitem", "presence"),
        "conversations.add_attachment",
        "conversations.add_note",
        "conversations.take_over_conversation",
        "review.decide_reviewitem",
    ),
)
OPERATOR = Role(
    name="operator",
    words=_("Sets switches, blocklist and canned replies; acts on what the engine owns."),
    above=REVIEWER,
    rights=(
        "conversations.view_tenant",
        *_every(
            "view", "pipeline", "breaker", "housekeepingrun", "incident", "mailbox", "queuedtask", "worker"
        ),
        *_every("view", "django_q", "failure"),
        *_every("change", "conversations", "message", "session"),
        "conversations.pause_channel",
        *_every("change", "pipeline", "breaker", "processedevent"),
        *_every("*", "pipeline", "blocklistentry", "incident", "switch"),
        *_every("*", "conversations", "cannedreply"),
    ),
)
AUDITOR = Role(
    name="auditor",
    words=_("Reads and exports everything, the audit trail too, and changes nothing."),
    rights=(
        *_every("view", "audit", "*"),
        *_every("view", "auth", "*"),
        *_every("view", "conversations", "*"),
        *_every("view", "django_q", "*"),
        *_every("view", "pipeline", "*"),
        *_every("view", "review", "*"),
        "review.export_reviewitem",
    ),
)
ADMINISTRATOR = Role(
    name="administrator",
    words=_("Changes everything: agents, channels, tenants, users, groups, staff scopes, API keys."),
    above=AUDITOR,
    rights=("auth.*", "conversations.*", "pipeline.*", "review.*"),
)
ROLES = (REVIEWER, OPERATOR, AUDITOR, ADMINISTRATOR)


def establish(apps: Any = installed_apps, *, also_existing: bool = False) -> None:
    """Make the groups. Only ever adds rights; with `also_existing` to groups that staff have already, too.

    `apps` is a migration's. Rights to what its apps have not yet are left to a later migration.
    """
    group_model = apps.get_model("auth", "Group")
    known = dict(_known(apps))
    for role in ROLES:
        group, is_new = group_model.objects.get_or_create(name=role.name)
        if is_new or also_existing:
            group.permissions.add(*(known[right] for right in sorted(meant(role.all_rights, known))))


def meant(rights: Rights, known: Any) -> set[str]:
    """Those of the known rights that are named."""
    return {name for name in known if any(fnmatchcase(name, right) for right in rights)}


def _known(apps: Any) -> Iterator[tuple[str, int]]:
    permissions = apps.get_model("auth", "Permission").objects.exclude(codename__contains=OF_HISTORY)
    for pk, app, codename in permissions.values_list("pk", "content_type__app_label", "codename"):
        yield f"{app}.{codename}", pk
