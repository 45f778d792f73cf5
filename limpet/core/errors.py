"""Errors that a user can cause; their messages say what was expected, what came, and what to do.

The command line prints the message of any ``LimpetError`` and exits with code 2; nothing else is caught.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An option that a message names: an argument in Python, a flag on the command line.

    >>> str(Option("resize_mask")), Option("resize_mask").flag
    ('resize_mask=True', '--resize-mask')
    >>> str(Option("device", "cpu")), Option("device", "cpu").flag
    ("device='cpu'", '--device cpu')
    """

    name: str
    value: object = True
    command_line_name: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}"

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        flag = "--" + (self.command_line_name or self.name).replace("_", "-")
        return flag if self.value is True else f"{flag} {self.value}"


class LimpetError(Exception):
    """Base of every error that a user can cause and fix.

    Args:
        parts: the message as one string, or as several strings with the options that it names between them.

    >>> import limpet
    >>> try:
    ...     limpet.TrainConfig(steps=0)
    ... except limpet.LimpetError as error:
    ...     print(error)
    steps is 0, expected a number of at least 1
    """

    def __init__(self, *parts: str | Option) -> None:
        super().__init__("".join(map(str, parts)))
        self.parts = parts

    @property
    def command_line_message(self) -> str:
        """The message with every option as a flag of the command line."""
        return "".join(part.flag if isinstance(part, Option) else part for part in self.parts)


class VideoError(LimpetError):
    """A video or folder of images that cannot be read."""


class MaskError(LimpetError):
    """A mask that does not fit the frame, or whose ids cannot be used."""


class WeightsError(LimpetError):
    """A weights file that is missing, damaged or made for another model."""


class ModelError(LimpetError):
    """An unknown model or a setting that the model cannot have."""


class DataError(LimpetError):
    """A data set that is empty, incomplete or has an unexpected layout."""


class OutputError(LimpetError):
    """A result that cannot be written: the folder exists, is read-only or the disk is full."""


class ProjectError(LimpetError):
    """A project folder that is damaged, newer or incomplete, or an edit that it cannot take."""


class MissingExtraError(LimpetError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str, package: str) -> None:
        super().__init__(
            f"{feature} needs the package '{package}', which is not installed; "
            f"install it with: pip install 'limpet[{extra}]'"
        )


def number_text(value: object) -> str:
    """A number as short as it can be, anything else as Python writes it.

    >>> number_text(1.0), number_text("1.0")
    ('1', "'1.0'")
    """
    return f"{value:g}" if isinstance(value, int | float) else repr(value)
