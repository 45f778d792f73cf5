"""Options of commands made from dataclasses, so that each option is written once.

A field of the library's configurations carries its help, bounds and group (``limpet.core.config_fields``). The fields
of the command line's own groups of options (``limpet.cli.options``) are annotated as parameters of commands are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from rich.markup import escape

from limpet.core.config_fields import Setting, settings_of

Command = Callable[..., None]
_METAVARS = {int: "N", float: "X"}


def with_options(
    *configs: type, first: Collection[str] | None = None, leave_out: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Give a command one option for each field of ``configs``; their values come in its ``**keywords``.

    Args:
        configs: dataclasses; what is nested in them counts too.
        first: names of the fields that are listed among the command's own options, the others being in panels named by
            their groups; None: those that their configuration marks as primary.
        leave_out: names of fields that the command does not offer.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        made = [
            each for config in configs for each in _parameters(config, first) if each.name not in leave_out
        ]
        parsers = {each.name: each for config in configs for each in settings_of(config) if each.option.parse}
        plain = [each for each in own if not _has_panel(each)]
        others = [each for each in own if _has_panel(each)]

        @wraps(command)
        def complete(**values: Any) -> None:
            command(**{name: _parsed(parsers.get(name), value) for name, value in values.items()})

        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*plain, *made, *others)]
        parameters.sort(key=_has_panel)  # panels stand in the order in which their options come
        complete.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        complete.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
        return complete

    return decorate


def given(context: typer.Context) -> set[str]:
    """Names of the parameters that came on the command line; all others have their defaults."""
    names = context.params.keys()
    return {
        name
        for name in names
        if (where := context.get_parameter_source(name)) and where.name == "COMMANDLINE"
    }


def _has_panel(parameter: inspect.Parameter) -> bool:
    return any(getattr(each, "rich_help_panel", None) for each in get_args(parameter.annotation))


def _parameters(config: type, first: Collection[str] | None) -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    settings = settings_of(config)
    if settings:
        return [
            inspect.Parameter(
                each.name,
                keyword,
                default=None if each.option.parse else each.default,
                annotation=_annotation(each, first),
            )
            for each in settings
        ]
    hints = get_type_hints(config, include_extras=True)
    return [
        inspect.Parameter(each.name, keyword, default=each.default, annotation=hints[each.name])
        for each in fields(config)
    ]


def _annotation(setting: Setting, first: Collection[str] | None) -> Any:
    """``Annotated[int, typer.Option("--steps", …)]``."""
    about = setting.option
    is_first = about.primary if first is None else setting.name in first
    kind = _plain(setting.type)
    flags = [f"{setting.flag}/--no-{setting.flag[2:]}" if setting.default is True else setting.flag]
    if about.parse is not None:
        kind = list[str] | None
    number = kind in (int, float)
    return Annotated[
        kind,
        typer.Option(
            *flags,
            help=escape(about.help),
            rich_help_panel=None if is_first else about.group,
            metavar=about.metavar or _metavar(kind),
            min=about.min if number else None,
            max=about.max if number else None,
        ),
    ]


def _parsed(setting: Setting | None, value: Any) -> Any:
    """What the texts of an option that may be repeated mean; the default where there are none."""
    if setting is None or setting.option.parse is None:
        return value
    return tuple(map(setting.option.parse, value)) if value else setting.default


def _plain(kind: Any) -> Any:
    """The type that the command line reads: Literal["a", "b"] is a string, whose choices the configuration checks."""
    if get_origin(kind) is Literal:
        return type(get_args(kind)[0])
    return kind


def _metavar(kind: Any) -> str | None:
    if get_origin(kind) is tuple:
        return "A B"
    plain = [each for each in get_args(kind) or (kind,) if each is not type(None)]
    return _METAVARS.get(plain[0])
