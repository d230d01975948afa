from __future__ import annotations

from pathlib import Path

import polib
import pytest

from zupa_site.translations import Catalogue, Text, texts_in

VIEW = """
from django.utils.translation import gettext as _, ngettext, pgettext_lazy
_("Hello %(name)s")
ngettext("%(n)s turn", "%(n)s turns", 2)
pgettext_lazy("verb", "Open")
"""
PAGE = """{% load i18n %}
    <h1>{% translate "Queue" %}</h1>
  <p>don't ({[
{% blocktranslate count n=n trimmed %}
  {{ n }} waits
{% plural %}
  {{ n }} wait
{% endblocktranslate %}"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "views.py").write_text(VIEW)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "queue.html").write_text(PAGE)
    return tmp_path


@pytest.fixture
def catalogue(sources: Path) -> Catalogue:
    """Complete: every text translated by itself, and compiled."""
    catalogue = Catalogue(sources / "locale")
    catalogue.update(texts_in(sources))
    for entry in catalogue.entries:
        if entry.msgid_plural:
            entry.msgstr_plural = {0: entry.msgid, 1: entry.msgid_plural}
        else:
            entry.msgstr = entry.msgid
    catalogue.entries.save()
    catalogue.compile()
    return catalogue


def entry(catalogue: Catalogue, msgid: str) -> polib.POEntry:
    found = catalogue.entries.find(msgid)
    assert found
    return found


def test_texts_are_found_in_code_and_templates(sources: Path) -> None:
    assert texts_in(sources) == {
        Text("Hello %(name)s"): {"review/views.py"},
        Text("%(n)s turn", plural="%(n)s turns"): {"review/views.py"},
        Text("Open", context="verb"): {"review/views.py"},
        Text("Queue"): {"templates/queue.html"},
        Text("%(n)s waits", plural="%(n)s wait"): {"templates/queue.html"},
    }


def test_a_complete_catalogue_has_no_problems(sources: Path, catalogue: Catalogue) -> None:
    assert catalogue.problems(texts_in(sources)) == []
    assert Catalogue(sources / "locale").problems(texts_in(sources)) == []


def test_a_new_text_is_missing_until_it_is_translated(sources: Path, catalogue: Catalogue) -> None:
    (sources / "review" / "admin.py").write_text('_("Brand new")')
    texts = texts_in(sources)
    assert catalogue.problems(texts) == ["missing: 'Brand new' (review/admin.py)"]
    catalogue.update(texts)
    assert "untranslated: 'Brand new'" in catalogue.problems(texts)


def test_a_text_no_source_says_is_named_and_dropped(sources: Path, catalogue: Catalogue) -> None:
    (sources / "templates" / "queue.html").unlink()
    texts = texts_in(sources)
    assert "no longer used: 'Queue'" in catalogue.problems(texts)
    catalogue.update(texts)
    assert catalogue.entries.find("Queue") is None


def test_an_update_keeps_translations(sources: Path, catalogue: Catalogue) -> None:
    entry(catalogue, "Queue").msgstr = "Fila"
    catalogue.update(texts_in(sources))
    assert entry(Catalogue(sources / "locale"), "Queue").msgstr == "Fila"


def test_fuzzy_and_broken_translations_are_named(sources: Path, catalogue: Catalogue) -> None:
    entry(catalogue, "Queue").flags.append("fuzzy")
    entry(catalogue, "Hello %(name)s").msgstr = "Olá %(nome)s"
    entry(catalogue, "Open").msgstr = ""
    catalogue.compile()
    assert sorted(catalogue.problems(texts_in(sources))) == [
        "fuzzy: 'Queue'",
        "unknown placeholder: 'Hello %(name)s' as 'Olá %(nome)s'",
        "untranslated: 'Open'",
    ]


def test_a_lost_placeholder_is_named(sources: Path, catalogue: Catalogue) -> None:
    entry(catalogue, "Hello %(name)s").msgstr = "Olá"
    catalogue.compile()
    assert catalogue.problems(texts_in(sources)) == ["placeholder lost: 'Hello %(name)s' as 'Olá'"]


def test_a_compiled_file_older_than_its_source_is_named(sources: Path, catalogue: Catalogue) -> None:
    entry(catalogue, "Queue").msgstr = "Fila"
    assert catalogue.problems(texts_in(sources)) == ["django.mo is not made from django.po"]
