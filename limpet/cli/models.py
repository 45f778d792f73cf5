"""``limpet models``: what there is to choose from, how fast it is here, and where its weights come from."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from limpet import __version__
from limpet.cli.options import DeviceName
from limpet.cli.terminal import FrameProgress, note, say
from limpet.core.errors import OutputError
from limpet.core.files import atomic_path, output_error
from limpet.core.provenance import cpu_model

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
    from limpet.bench.benchmark import STEPS, measure_speed

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
    from limpet.bench.config import SPEED_OBJECTS, SPEED_SIZE

    days = sorted({speed.day for entry in chosen if (speed := book.get(entry.name))})
    what = f"ms: a frame of {SPEED_SIZE[0]}x{SPEED_SIZE[1]}, {SPEED_OBJECTS} objects"
    if not days:
        return f"{what}; not measured yet: limpet models --measure"
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{what}, measured {when} on\n{book.setting}"


def _tell_more(entry: ModelEntry, book: SpeedBook) -> None:
    from limpet.weights.zoo import ZOO, bundled_weights, official_file

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
    from limpet.weights.zoo import bundled_weights, official_file

    return "ships" if bundled_weights(name) else "official" if official_file(name) else "-"


ENOUGH_TO_MATTER = 0.5


@dataclass(frozen=True)
class Speed:
    """Milliseconds a frame, and the day (ISO) on which they were measured."""

    ms: float
    day: str


class SpeedBook:
    """Speeds by model for one setting: processor or GPU, threads, versions of limpet and torch.

    Args:
        setting: whatever changes a speed, in words; see ``this_machine``.
        path: of the file; None is the user's own.
    """

    def __init__(self, setting: str, path: Path | None = None) -> None:
        self.setting = setting
        self.path = path or cache_folder() / "speeds.json"
        self._all = _read(self.path)

    def get(self, model: str) -> Speed | None:
        """What was measured for ``model``, or None."""
        found = self._all.get(self.setting, {}).get(model)
        return None if found is None else Speed(float(found["ms"]), str(found["day"]))

    def put(self, model: str, seconds: float) -> None:
        """Keep a speed measured today. Raises OutputError when it cannot be written."""
        speed = Speed(round(1e3 * seconds, 1), date.today().isoformat())
        self._all.setdefault(self.setting, {})[model] = asdict(speed)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, self.path) from error
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(self._all, indent=2) + "\n")


def keep(book: SpeedBook, model: str, seconds: float) -> None:
    """Put a speed into the book; where that fails it is still known until the command ends, and the user is told."""
    try:
        book.put(model, seconds)
    except OutputError as error:
        note(f"the speed of {model} is not kept: {error}")


def this_machine(device: str) -> str:
    """What a speed depends on besides the model, in words."""
    import torch

    from limpet.tracking.load import choose_device

    chosen = choose_device(device)
    versions = f"limpet {__version__}, torch {torch.__version__}"
    if chosen.type == "cuda":
        return f"{torch.cuda.get_device_name(chosen)}, {versions}"
    threads = torch.get_num_threads()
    return f"{cpu_model()}, {threads} thread{'s' if threads > 1 else ''}, {versions}"


def busy() -> float | None:
    """How many other programs want the processor (the load of the last minute), where it is enough to matter."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return load if load > ENOUGH_TO_MATTER else None


def cache_folder() -> Path:
    """The user's folder for what can be made again, as the system has it; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "limpet"


def _read(path: Path) -> dict[str, dict[str, dict[str, float | str]]]:
    try:
        content = json.loads(path.read_text())
        if all("ms" in speed and "day" in speed for speeds in content.values() for speed in speeds.values()):
            return dict(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError):
        pass
    note(f"{path} cannot be understood, so the speeds in it are not shown")
    return {}
