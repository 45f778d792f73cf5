"""``limpet models``: what there is to choose from, how fast it is here, and where its weights come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from limpet.cli.options import DeviceName
from limpet.cli.progress import FrameProgress
from limpet.cli.say import note, say
from limpet.cli.speeds import SpeedBook, busy, keep, this_machine

if TYPE_CHECKING:
    from limpet.models import ModelConfig
    from limpet.registry import ModelEntry

COLUMNS = ("model", "encoder", "layers", "memory", "size", "weights", "ms")
LEGEND = """\
memory: what is read besides the previous frame; size: parameters
weights: in the package (ships), published (official: see limpet models NAME)
"""


def models_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", hidden=True),  # its line of help would call it a list[str]
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure the speed of these models, or of all, on this machine.")
    ] = False,
    device: DeviceName = "auto",
) -> None:
    """List the models, or tell more of those named.

    With --measure the names are the models to measure.
    """
    from limpet.registry import entries, find

    chosen = [find(name) for name in names] if names else entries()
    book = SpeedBook(this_machine(device))
    if measure:
        _measure([entry.name for entry in chosen], device, book)
    if names and not measure:
        for entry in chosen:
            _tell_more(entry, book)
    else:
        _print_table(chosen, book)


def memory_words(config: ModelConfig) -> str:
    """Which frames a model goes on reading, shortly."""
    gap = config.long_term_gap
    return "first frame" if gap is None else f"every {gap}th"


def _measure(names: list[str], device: str, book: SpeedBook) -> None:
    from limpet.bench.speed import STEPS, measure_speed

    if (load := busy()) is not None:
        note(f"other programs are at work (load {load:.1f}), so that times will be longer than they need be")
    with FrameProgress() as progress:
        for index, name in enumerate(names):
            progress(index * STEPS, len(names) * STEPS, name)
            seconds = measure_speed(
                name,
                device,
                on_frame=lambda done, first=index * STEPS: progress(first + done, len(names) * STEPS),  # type: ignore[misc]
            )
            keep(book, name, seconds)


def _print_table(chosen: list[ModelEntry], book: SpeedBook) -> None:
    # Narrow enough for 80 columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for heading in COLUMNS:
        table.add_column(
            heading, no_wrap=True, justify="right" if heading in ("layers", "size", "ms") else "left"
        )
    for entry in chosen:
        config, speed = entry.config(), book.get(entry.name)
        size = f"{_parameters(entry) / 1e6:.1f} M"
        ms = "?" if speed is None else f"{speed.ms:,.0f}"
        table.add_row(
            entry.name,
            config.encoder,
            str(config.layers),
            memory_words(config),
            size,
            _at_hand(entry.name),
            ms,
        )
    Console().print(table)
    say(LEGEND + _speed_words(chosen, book))


def _speed_words(chosen: list[ModelEntry], book: SpeedBook) -> str:
    from limpet.bench.speed import OBJECTS, SIZE

    days = sorted({speed.day for entry in chosen if (speed := book.get(entry.name))})
    what = f"ms: a frame of {SIZE[0]}x{SIZE[1]}, {OBJECTS} objects"
    if not days:
        return f"{what}; not measured yet: limpet models --measure"
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{what}, measured {when} on\n{book.setting}"


def _tell_more(entry: ModelEntry, book: SpeedBook) -> None:
    from limpet.weights.store import bundled_weights
    from limpet.weights.zoo import ZOO, official_file

    config, bundled, official = entry.config(), bundled_weights(entry.name), official_file(entry.name)
    gap = config.long_term_gap
    own = f"{entry.name}.safetensors"
    rows = [
        ("encoder", config.encoder),
        ("layers", str(config.layers)),
        ("memory", f"the first frame, the previous one{f', and every {gap}th' if gap else ''}"),
        ("parameters", f"{_parameters(entry) / 1e6:.1f} million"),
        ("sizes", f"16k{' + 1' if config.align_corners else ''} pixels; frames of any size are resized"),
        ("weights", str(bundled) if bundled else "none in the package"),
    ]
    if official:
        rows += [
            ("official", f"{official}, in the model zoo of the official code:"),
            ("", ZOO),
            ("convert", f"limpet weights convert {official} --model {entry.name} --out {own}"),
        ]
    if official or not bundled:
        rows.append(("use", f"limpet track VIDEO --mask PNG --model {entry.name} --weights {own}"))
    if speed := book.get(entry.name):
        rows.append(("speed", f"{speed.ms:,.0f} ms a frame, measured {speed.day} on {book.setting}"))
    else:
        rows.append(("speed", f"not measured yet: limpet models --measure {entry.name}"))
    say(f"{entry.name}: {entry.summary}")
    for heading, text in rows:
        say(f"  {heading:10}  {text}")


def _parameters(entry: ModelEntry) -> int:
    import torch

    from limpet.models import build_model

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(entry.config()).parameters())


def _at_hand(name: str) -> str:
    from limpet.weights.store import bundled_weights
    from limpet.weights.zoo import official_file

    return "ships" if bundled_weights(name) else "official" if official_file(name) else "-"
