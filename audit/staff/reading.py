"""Reading what people said is a deed: it leaves an entry with the reader's name and whose words they were."""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter

from django.db.models import Model

from audit.models import ActorKind
from audit.operations import Fact, record
from audit.records import object_type_of


def record_opening(page: Model, ids: Mapping[str, str], *, by: str, now: datetime) -> None:
    """That somebody opens the record's page. `ids`: for each correlation id, where the record has it."""
    kind = object_type_of(type(page))
    fact = Fact(
        action=f"{kind}.read",
        object_type=kind,
        object_id=page.pk,
        actor_kind=ActorKind.PERSON,
        actor=by,
        ids={name: attrgetter(path)(page) or "" for name, path in ids.items()},
    )
    record(fact, now=now)


def record_search(model: type[Model], term: str, number: int, *, by: str, now: datetime) -> None:
    """That somebody looked for words in what was said. How often they were found tells something, too."""
    kind = object_type_of(model)
    fact = Fact(
        action=f"{kind}.searched",
        object_type=kind,
        object_id="",
        actor_kind=ActorKind.PERSON,
        actor=by,
        details={"name": term, "count": number},
    )
    record(fact, now=now)
