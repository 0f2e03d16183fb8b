"""How files are read by `mesure import`: options, over a saved reading, over what a guess says, over defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.cli.import_told import say_guesses
from mesure.errors import ImportRefused, InvalidValue, UnknownName, nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from mesure.apps.cli.voice import Voice
    from mesure.config import ImportSettings, Settings
    from mesure.meter.imports import Conventions, ImportPlan, TableFile
    from mesure.meter.imports.files import Encoding

__all__ = ["Reading", "zone_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`None` and empty: not said. `guess`: take columns and habits that are likely and that nothing contests."""

    voice: Voice
    settings: Settings
    export: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    cycles: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    decimal: str | None = None
    dates: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    guess: bool = False
    preview: bool = False  # say what columns that nobody knows probably hold

    @classmethod
    def of(cls, voice: Voice, settings: Settings, options: Mapping[str, Any]) -> Reading:
        """Options of the command line over the saved reading that `--using` names."""
        given = {f.name: options[f.name] for f in fields(cls) if f.name in options}
        pairs = {name: dict(given.pop(name)) for name in ("mapping", "constants", "cycles")}
        saved = cls(voice=voice, settings=settings, **_saved(settings, options["using"]))
        merged: dict[str, Any] = {name: {**getattr(saved, name), **asked} for name, asked in pairs.items()}
        said = {name: value for name, value in given.items() if value is not None}
        return replace(saved, preview=options["dry_run"], **said, **merged)

    def planned(self, path: str) -> tuple[TableFile, ImportPlan]:
        """The file and how it is read. Raises `ImportRefused` when it cannot be."""
        from mesure.meter.imports import Habits, ImportPlan, habits_of
        from mesure.meter.pseudonyms import Pseudonyms

        self._check_labels()
        file = self._opened(path)
        habits = habits_of(file) if self.guess and file.export is None else Habits()
        conventions = self._conventions(self.decimal or habits.decimal, self.dates or habits.dates)
        used = self._guessed(file) if self.guess or self.preview else {}
        try:
            plan = ImportPlan.make(
                file,
                pseudonym=Pseudonyms(Path(self.settings.server.data)),
                mapping=used | dict(self.mapping),
                constants=self.constants,
                cycles={name: values.split(",") for name, values in self.cycles.items()},
                conventions=conventions,
            )
        except ImportRefused:
            if not (self.guess or self.preview):
                self._guessed(file)  # what is missing may stand under a name that nobody knows
            raise
        return file, plan

    def _check_labels(self) -> None:
        """Raises `ImportRefused` for a label whose key the configuration does not allow."""
        named = [*self.mapping, *self.constants, *self.cycles]
        keys = [name.removeprefix("labels.") for name in named if name.startswith("labels.")]
        if unknown := next((key for key in keys if key not in self.settings.privacy.label_keys), None):
            raise ImportRefused(
                "The configuration does not allow this label",
                value=unknown,
                action="Add its key to label_keys under [privacy], or leave the label out.",
            )

    def saved(self, file: TableFile, plan: ImportPlan) -> ImportSettings:
        """This reading of a file, to be used again: what is found by itself is not written down."""
        from mesure.config import ImportSettings

        own = {name: column for name, column in plan.mapping.items() if file.proposal.get(name) != column}
        conventions = plan.conventions
        return ImportSettings(
            export=self.export or "",
            map=[f"{name}={column}" for name, column in own.items()],
            set=[f"{name}={value}" for name, value in self.constants.items()],
            cycle=[f"{name}={value}" for name, value in self.cycles.items()],
            timezone=self.timezone or "",
            decimal=conventions.decimal,
            dates=conventions.dates,
            delimiter=self.delimiter or "",
            encoding=file.encoding,
        )

    def _opened(self, path: str) -> TableFile:
        from mesure.meter.imports import TableFile

        said = {"delimiter": self.delimiter, "export": self.export}
        try:
            encoding: Encoding = self.encoding or "utf-8"  # type: ignore[assignment]
            file = TableFile.open(path, encoding=encoding, **said)
            if self.guess and self.encoding is None and file.format in ("csv", "jsonl"):
                for _ in file.rows():  # letters of another encoding may come late
                    pass
        except ImportRefused as error:
            if not (self.guess and self.encoding is None and error.code == "encoding"):
                raise
            file = TableFile.open(path, encoding="windows-1252", **said)
            self.voice.note(self.voice.t("{name}: read as windows-1252, since it is not utf-8.", name=file.path.name))
        return file

    def _conventions(self, decimal: Any, dates: Any) -> Conventions:
        from mesure.meter.imports import Conventions

        zone = zone_named(self.timezone or self.settings.organisation.timezone)
        return Conventions(timezone=zone, decimal=decimal or "point", dates=dates or "iso")

    def _guessed(self, file: TableFile) -> dict[str, str]:
        """Columns to take beside those that are known, once they are said: none unless guesses were asked for."""
        from mesure.meter.imports import guesses, habits_of, known_field, likely

        if file.export is not None:
            return {}
        habits = habits_of(file)
        seen = self._conventions(self.decimal or habits.decimal, self.dates or habits.dates)
        taken = {**file.proposal, **{known_field(name): column for name, column in self.mapping.items()}}
        taken |= dict.fromkeys(map(known_field, (*self.constants, *self.cycles)), "")
        found = guesses(file, seen, taken)
        used = likely(found) if self.guess else {}
        say_guesses(self.voice, file.path.name, found, habits, used)
        return used


def _saved(settings: Settings, name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in settings.imports:
        raise UnknownName(
            "No reading of this name is saved",
            value=name,
            nearest=nearest_names(name, settings.imports),
            action="Save one with --save NAME, or write it under [imports.NAME] in mesure.toml.",
            code="usage",
        )
    one = settings.imports[name]
    said = {
        "mapping": _pairs(one.map, name),
        "constants": _pairs(one.set, name),
        "cycles": _pairs(one.cycle, name),
    }
    texts = ("export", "timezone", "decimal", "dates", "delimiter", "encoding")
    return said | {text: value for text in texts if (value := getattr(one, text))}


def _pairs(written: Iterable[str], name: str) -> dict[str, str]:
    found = {}
    for pair in written:
        field_name, mark, rest = pair.partition("=")
        if not (field_name and mark and rest):
            raise InvalidValue(
                f"[imports.{name}] holds something else than FIELD=VALUE",
                value=pair,
                action="Correct it.",
                code="config",
            )
        found[field_name] = rest
    return found


def zone_named(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(
            "This is not a time zone", value=name, action="Use a name such as Europe/Paris.", code="usage"
        ) from None
