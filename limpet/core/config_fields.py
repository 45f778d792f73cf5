"""Settings described once: a field of a configuration carries its help text, its group and its bounds.

    @dataclass(frozen=True)
    class ExampleConfig:
        steps: int = option(100, help="Optimizer steps.", group="Schedule", min=1, primary=True)

        def __post_init__(self) -> None:
            check_options(self)

The command line makes its options from these fields (``settings_of``) and a configuration from the options
(``build``). A run that is resumed compares the options that were given with its own (``resume_config``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any, NamedTuple, TypeVar, get_type_hints

from limpet.core.errors import DataError

_KEY = "limpet-option"
Config = TypeVar("Config")


@dataclass(frozen=True)
class FieldInfo:
    """What is known of a setting besides its name, type and default.

    help: one or two sentences for ``--help`` and the reference.
    group: the heading under which it is listed.
    min, max: smallest and largest value, both allowed; of a pair they hold for each number. above: a bound that the
        value must exceed.
    choices: the allowed values; empty where any value is.
    metavar: how the value is shown in the help; the choices where there are any and nothing is said.
    primary: among the few that people need first.
    flag: the option's name on the command line where it is not the field's, with its dashes.
    parse: makes the value from its text, where the command line cannot tell how from the field's type.
    may_change: a run that is resumed may be given another value; all others are fixed by its checkpoint.
    """

    help: str
    group: str
    min: float | None = None
    max: float | None = None
    above: float | None = None
    choices: Collection[Any] = ()
    metavar: str | None = None
    primary: bool = False
    flag: str | None = None
    parse: Callable[[str], Any] | None = None
    may_change: bool = False

    def expected(self, value: Any) -> str:
        """What is allowed instead of ``value``, in words: "a number from 0 to 1"."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        what = "two numbers" if isinstance(value, tuple) else "a number"
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (("above", self.above), ("of at least", self.min), ("of at most", self.max))
            if bound is not None
        ]
        if self.min is not None and self.max is not None:
            bounds = [f"from {self.min:g} to {self.max:g}"]
        return f"{what} {' and '.join(bounds)}"

    def allows(self, value: Any) -> bool:
        """Whether a value, or each number of a pair, is within the bounds. None, where it means "not set", is."""
        if isinstance(value, tuple):
            return all(self.allows(each) for each in value)
        if self.choices and value is not None and value not in self.choices:
            return False
        if value is None or isinstance(value, str):
            return True
        return (
            (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
            and (self.above is None or value > self.above)
        )


class Setting(NamedTuple):
    """A field with a FieldInfo. ``path``: the fields that lead to it, ("clips", "frames"); type: resolved."""

    name: str
    path: tuple[str, ...]
    type: Any
    default: Any
    option: FieldInfo

    @property
    def flag(self) -> str:
        """Its option on the command line, such as ``--learning-rate``."""
        return self.option.flag or f"--{self.name.replace('_', '-')}"


def option(
    default: Any,
    *,
    help: str,
    group: str,
    min: float | None = None,
    max: float | None = None,
    above: float | None = None,
    choices: Collection[Any] = (),
    metavar: str | None = None,
    primary: bool = False,
    flag: str | None = None,
    parse: Callable[[str], Any] | None = None,
    may_change: bool = False,
) -> Any:
    """A dataclass field with a default and a FieldInfo; see there."""
    metavar = metavar or "|".join(map(str, choices)) or None
    about = FieldInfo(help, group, min, max, above, choices, metavar, primary, flag, parse, may_change)
    return field(default=default, metadata={_KEY: about})


def settings_of(config: type) -> list[Setting]:
    """All settings of a configuration, those of the configurations in it too, in the order of the fields."""
    hints, found = get_type_hints(config), []
    for each in fields(config):
        if is_dataclass(hints[each.name]):
            inner = settings_of(hints[each.name])
            found += [setting._replace(path=(each.name, *setting.path)) for setting in inner]
        elif _KEY in each.metadata:
            default = None if each.default is MISSING else each.default
            found.append(Setting(each.name, (each.name,), hints[each.name], default, each.metadata[_KEY]))
    return found


def check_options(config: Any) -> None:
    """Raises DataError for the first field whose value is out of its bounds."""
    for each in fields(config):
        about: FieldInfo | None = each.metadata.get(_KEY)
        value = getattr(config, each.name)
        if about is not None and not about.allows(value):
            raise DataError(f"{each.name} is {value!r}, expected {about.expected(value)}")


def build(config: type[Config], values: Mapping[str, Any]) -> Config:
    """A configuration from values by the names of its settings, wherever in it they are.

    What is not in ``values`` has its default; values with other names are left alone. Raises DataError.
    """
    hints, given = get_type_hints(config), {}
    for each in fields(config):  # type: ignore[arg-type]
        if is_dataclass(hints[each.name]):
            given[each.name] = build(hints[each.name], values)
        elif each.name in values:
            given[each.name] = values[each.name]
    return config(**given)


def value_at(config: Any, path: tuple[str, ...]) -> Any:
    """The value of the setting at ``path``."""
    for name in path:
        config = getattr(config, name)
    return config


def with_value(config: Config, path: tuple[str, ...], value: Any) -> Config:
    """The same configuration with another value at ``path``."""
    name, *rest = path
    inner = with_value(getattr(config, name), tuple(rest), value) if rest else value
    changed: Config = replace(config, **{name: inner})  # type: ignore[type-var]
    return changed


def resume_config(begun: Config, now: Config, given: Collection[str] | None, where: str) -> Config:
    """The configuration that a run goes on with: the one it was begun with, and what may change of ``now``.

    Args:
        begun: the run's own configuration. now: that of the one who resumes it.
        given: names of the settings that were given on purpose; the others of ``now`` are defaults and don't count.
            None: all of them count.
        where: the run, for the message.

    Raises:
        DataError: a setting that was given differs from one that is fixed; the message names each with both values.
    """
    conflicts, result = [], begun
    for setting in settings_of(type(now)):
        before, after = value_at(begun, setting.path), value_at(now, setting.path)
        if before == after or (given is not None and setting.name not in given):
            continue
        if setting.option.may_change:
            result = with_value(result, setting.path, after)
        else:
            conflicts.append(f"{setting.name} was {before!r}, is now {after!r}")
    if conflicts:
        raise DataError(
            f"{where} was begun with other settings: {'; '.join(conflicts)}; resume it without changing these, or "
            f"choose another folder"
        )
    return result
