"""Options of commands made from dataclasses, so that each option is written once.

A field of the library's configurations carries its help, bounds and group (``limpet.core.options``). The fields of the
command line's own groups of options (``limpet.cli.options``) are annotated as parameters of commands are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints

import typer

Command = Callable[..., None]


def with_options(*configs: type, leave_out: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command one option for each field of ``configs``; their values come in its ``**keywords``.

    The fields that people need first are listed among the command's own options, the others in panels named by their
    groups.

    Args:
        configs: dataclasses; what is nested in them counts too.
        leave_out: names of fields that the command does not offer.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        made = [each for config in configs for each in _parameters(config) if each.name not in leave_out]

        @wraps(command)
        def complete(**values: Any) -> None:
            command(**values)

        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *made)]
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


def _parameters(config: type) -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    hints = get_type_hints(config, include_extras=True)
    return [
        inspect.Parameter(each.name, keyword, default=each.default, annotation=hints[each.name])
        for each in fields(config)
    ]
