"""The catalogue of translated text, kept complete without gettext's programs.

`Catalogue` is what stands in `locale/`; `texts_in` is what the sources say. Their difference is what a
translator has to do, and what fails `make check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polib
from babel.messages.extract import extract
from django.utils.translation.template import templatize

from pipeline.error_help import PAGE as HELP_PAGE
from pipeline.error_help import parse

SOURCE_FOLDERS = ("audit", "conversations", "pipeline", "review", "zupa_site", "templates")
TEMPLATE_SUFFIXES = {".html", ".txt"}
_PLAIN: Mapping[str, tuple[int | tuple[int, str], ...]] = {
    "gettext": (1,),
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
KEYWORDS = {"_": (1,), **_PLAIN, **{f"{name}_lazy": where for name, where in _PLAIN.items()}}
INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
PLACEHOLDER = re.compile(r"%\(\w+\)[sdif]|%[sdif]|\{\w*\}")
WIDTH = 110
METADATA = {
    "Project-Id-Version": "Zupa",
    "Language": "pt_BR",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=2; plural=(n > 1);",
}


@dataclass(frozen=True, order=True)
class Text:
    """One translatable text of the sources."""

    singular: str
    plural: str = ""
    context: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.singular


def texts_in(root: Path) -> dict[Text, set[str]]:
    """Every text of the sources under `root`, with the files that use it."""
    found: dict[Text, set[str]] = {}
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            for text in _texts_of(path):
                found.setdefault(text, set()).add(path.relative_to(root).as_posix())
    for text in _help_texts(root / "docs" / HELP_PAGE.name):
        found.setdefault(text, set()).add(f"docs/{HELP_PAGE.name}")
    for text in [text for text in found if text.plural]:
        found[text] |= found.pop(Text(text.singular, context=text.context), set())
    return found


def _texts_of(path: Path) -> Iterator[Text]:
    if path.suffix == ".py" and "migrations" not in path.parts:
        code = path.read_bytes()
    elif path.suffix in TEMPLATE_SUFFIXES and "templates" in path.parts:
        code = INDENTATION.sub("", templatize(path.read_text(), origin=str(path))).encode()
    else:
        return
    for _line, message, _comments, context in extract("python", BytesIO(code), KEYWORDS):
        singular, plural = message[:2] if isinstance(message, tuple) else (message, "")
        if singular:
            yield Text(singular, plural, context or "")


def _help_texts(page: Path) -> Iterator[Text]:
    """What staff read beside an error code: not in the code, and shown in their language all the same."""
    for help_text in parse(page.read_text(encoding="utf-8") if page.exists() else "").values():
        yield from map(Text, (help_text.meaning, help_text.system, help_text.person))


class Catalogue:
    """One language's .po file, which people edit, and the .mo file made from it, which Django reads."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "django.po"
        self.compiled = folder / "django.mo"
        self.entries = (
            polib.pofile(str(self.source), wrapwidth=WIDTH)
            if self.source.exists()
            else polib.POFile(wrapwidth=WIDTH)
        )
        self.entries.metadata = METADATA

    def update(self, texts: Mapping[Text, set[str]]) -> None:
        """Add what is new, empty; drop what no source says any more; keep every translation."""
        known = {_key(entry): entry for entry in self.entries if not entry.obsolete}
        self.entries.clear()
        for text in sorted(texts):
            entry = known.get(text.key) or polib.POEntry(msgid=text.singular, msgctxt=text.context or None)
            if text.plural and entry.msgid_plural != text.plural:
                entry.msgid_plural, entry.msgstr, entry.msgstr_plural = text.plural, "", {0: "", 1: ""}
            entry.occurrences = [(file, "") for file in sorted(texts[text])]
            self.entries.append(entry)
        self.source.parent.mkdir(parents=True, exist_ok=True)
        self.entries.save(str(self.source))

    def compile(self) -> None:
        self.compiled.write_bytes(self.entries.to_binary())

    def problems(self, texts: Mapping[Text, set[str]]) -> list[str]:
        """What a translator or a committer has to mend, one line each; empty when all is well."""
        said = {text.key for text in texts}
        known = {_key(entry) for entry in self.entries if not entry.obsolete}
        missing = [
            f"missing: {text.singular!r} ({', '.join(sorted(texts[text]))})"
            for text in sorted(texts)
            if text.key not in known
        ]
        unused = [
            f"no longer used: {entry.msgid!r}"
            for entry in self.entries
            if entry.obsolete or _key(entry) not in said
        ]
        wrong = [problem for entry in self.entries if not entry.obsolete for problem in _problems_of(entry)]
        compiled = self.compiled.read_bytes() if self.compiled.exists() else b""
        stale = (
            []
            if compiled == self.entries.to_binary()
            else [f"{self.compiled.name} is not made from {self.source.name}"]
        )
        return missing + unused + wrong + stale


def _key(entry: polib.POEntry) -> tuple[str, str]:
    return entry.msgctxt or "", entry.msgid


def _problems_of(entry: polib.POEntry) -> Iterator[str]:
    if entry.fuzzy:
        yield f"fuzzy: {entry.msgid!r}"
    elif not entry.translated():
        yield f"untranslated: {entry.msgid!r}"
    expected = _placeholders(entry.msgid, entry.msgid_plural)
    for translation in entry.msgstr_plural.values() or [entry.msgstr]:
        if translation and not _placeholders(translation) <= expected:
            yield f"unknown placeholder: {entry.msgid!r} as {translation!r}"
        elif translation and not entry.msgid_plural and _placeholders(translation) != expected:
            yield f"placeholder lost: {entry.msgid!r} as {translation!r}"


def _placeholders(*texts: str) -> set[str]:
    return {placeholder for text in texts for placeholder in PLACEHOLDER.findall(text)}
