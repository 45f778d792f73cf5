"""What commands say: results on stdout, all else on stderr; where no terminal is, a sentence a line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console


def say(text: str) -> None:
    """A result, on stdout."""
    _print(Console(), text)


def note(text: str) -> None:
    """What else to know; the command goes on."""
    _print(Console(stderr=True), f"note: {text}", "yellow")


def notes(lines: Sequence[str], rest: str, most: int = 5) -> None:
    """The first lines as notes, and how many more there are; ``rest`` says where to find them."""
    for line in lines[:most]:
        note(line)
    if len(lines) > most:
        note(f"and {len(lines) - most} more, {rest}")


def error(text: str) -> None:
    """Why the command failed, and what to do."""
    _print(Console(stderr=True), f"error: {text}", "red")


def _print(console: Console, text: str, style: str = "") -> None:
    # A terminal gets lines that end between words; elsewhere a path that is cut in two could not be copied.
    soft = not console.is_terminal
    # Messages hold brackets, colons and numbers that mean nothing.
    console.print(text, style=style, markup=False, highlight=False, emoji=False, soft_wrap=soft)
