"""``limpet models``: the models, how fast each is on this machine, and where its weights come from."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from limpet import __version__
from limpet.cli.options import DeviceName
from limpet.cli.terminal import FrameProgress, note, say
from limpet.core.errors import ModelError, OutputError
from limpet.core.files import atomic_path, output_error
from limpet.core.json_text import read_json
from limpet.core.provenance import cpu_model, usable_cores
from limpet.core.saved_records import record_from

if TYPE_CHECKING:
    from limpet.models.base import ModelConfig
    from limpet.registry import ModelEntry

COLUMNS = ("model", "size", "weights", "ms", "what")
LEGEND = """\
size: parameters
weights: in the package (ships), or published (official: see limpet models NAME)
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
    """List the models, or describe those that are named.

    With --measure, the names are the models to measure. Listing them does not start torch.
    """
    from limpet.registry import entries, find

    chosen = [find(name) for name in names] if names else entries()
    book = SpeedBook(this_machine(device))
    if measure:
        _measure([entry.name for entry in chosen], device, book)
    if names and not measure:
        for entry in chosen:
            _describe(entry, book)
    else:
        _print_table(chosen, book)


def _measure(names: list[str], device: str, book: SpeedBook) -> None:
    from limpet.bench.benchmark import STEPS, measure_speed

    on = compute_device(device)
    if (load := busy()) is not None:
        note(
            f"other programs are running (load {load:.1f}); the times will be longer than on an idle machine"
        )
    with FrameProgress() as progress:
        for index, name in enumerate(names):
            progress(index * STEPS, len(names) * STEPS, name)
            seconds = measure_speed(
                name,
                device,
                on_frame=lambda done, first=index * STEPS: progress(first + done, len(names) * STEPS),  # type: ignore[misc]
            )
            keep(book, name, seconds, on)


def _print_table(chosen: list[ModelEntry], book: SpeedBook) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in COLUMNS:
        numbers = heading in ("size", "ms")
        table.add_column(heading, no_wrap=heading != "what", justify="right" if numbers else "left")
    for entry in chosen:
        speed = book.get(entry.name)
        size = "?" if entry.millions is None else f"{entry.millions:.1f} M"
        ms = "?" if speed is None else f"{speed.ms:,.0f}"
        table.add_row(entry.name, size, _source_of_weights(entry.name), ms, entry.summary)
    Console().print(table)
    say(LEGEND + _speed_words(chosen, book))


def _speed_words(chosen: list[ModelEntry], book: SpeedBook) -> str:
    from limpet.bench.config import SPEED_OBJECTS, SPEED_SIZE

    speeds = [speed for entry in chosen if (speed := book.get(entry.name))]
    what = f"ms: per frame of {SPEED_SIZE[0]}x{SPEED_SIZE[1]}, {SPEED_OBJECTS} objects"
    if not speeds:
        return f"{what}; not measured yet: limpet models --measure"
    days = sorted({speed.day for speed in speeds})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{what}, measured {when} on\n{', '.join(sorted({speed.device for speed in speeds}))}"


def _memory_words(config: ModelConfig) -> str:
    previous, gap, frames = config.reads_previous, config.long_term_gap, config.long_term_frames
    words = ["the first frame"] + ["the previous one"] * previous
    if gap is not None:
        words.append(f"every {gap}th" + ("" if frames is None else f" ({frames} of them)"))
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _describe(entry: ModelEntry, book: SpeedBook) -> None:
    from limpet.weights.zoo import bundled_weights, official_file, official_page

    config, bundled, official = entry.config(), bundled_weights(entry.name), official_file(entry.name)
    own = f"{entry.name}.safetensors"
    rows = [
        ("encoder", config.encoder),
        ("layers", str(config.layers)),
        ("memory", _memory_words(config)),
        ("parameters", "not counted" if entry.millions is None else f"{entry.millions:.1f} million"),
        ("sizes", f"16k{' + 1' if config.align_corners else ''} pixels; frames of any size are resized"),
        ("weights", str(bundled) if bundled else "none in the package"),
    ]
    if official:
        rows += [
            ("official", f"{official}, published with the official code:"),
            ("", official_page(entry.name)),
            ("convert", f"limpet weights convert {official} --model {entry.name} --out {own}"),
        ]
    if official or not bundled:
        rows.append(("use", f"limpet track VIDEO --mask PNG --model {entry.name} --weights {own}"))
    if speed := book.get(entry.name):
        rows.append(("speed", f"{speed.ms:,.0f} ms per frame, measured {speed.day} on {speed.device}"))
    else:
        rows.append(("speed", f"not measured yet: limpet models --measure {entry.name}"))
    say(f"{entry.name}: {entry.summary}")
    for heading, text in rows:
        say(f"  {heading:10}  {text}")


def _source_of_weights(name: str) -> str:
    from limpet.weights.zoo import bundled_weights, official_file

    return "ships" if bundled_weights(name) else "official" if official_file(name) else "-"


ENOUGH_TO_MATTER = 0.5
"""The load of other programs from which on times are noticeably longer."""


@dataclass(frozen=True)
class ModelSpeed:
    """Milliseconds per frame, the day (ISO) on which they were measured, and the processor or GPU, in words."""

    ms: float
    day: str
    device: str


class SpeedBook:
    """The speeds that were measured on this machine, in a small JSON file in the user's cache folder.

    Args:
        setting: what a speed depends on besides the model, see ``this_machine``. Speeds are kept for each setting.
        path: of the file; None is the user's own.
    """

    def __init__(self, setting: str, path: Path | None = None) -> None:
        self.setting = setting
        self.path = path or cache_folder() / "speeds.json"
        self._all = _read(self.path)

    def get(self, model: str) -> ModelSpeed | None:
        """What was measured for ``model``, or None."""
        found = self._all.get(self.setting, {}).get(model)
        return None if found is None else ModelSpeed(**found)

    def put(self, model: str, seconds: float, device: str) -> None:
        """Keep a speed measured today. Raises OutputError when it cannot be written."""
        speed = ModelSpeed(round(1e3 * seconds, 1), date.today().isoformat(), device)
        self._all.setdefault(self.setting, {})[model] = asdict(speed)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, self.path) from error
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(self._all, indent=2) + "\n")


def keep(book: SpeedBook, model: str, seconds: float, device: str) -> None:
    """Put a speed into the book; where that fails it is still known until the command ends, and the user is told."""
    try:
        book.put(model, seconds, device)
    except OutputError as error:
        note(f"the speed of {model} is not kept: {error}")


def this_machine(device: str) -> str:
    """What a speed depends on besides the model, in words, found without torch. Raises ModelError for another device.

    Args:
        device: as ``limpet.load`` takes it; what "auto" means is the same each time.
    """
    if re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", device) is None:
        raise ModelError(f"there is no device {device!r}; use auto, cpu or cuda")
    threads = os.environ.get("OMP_NUM_THREADS")
    parts = [device, cpu_model(), f"{usable_cores()} cores", f"OMP_NUM_THREADS={threads}" if threads else ""]
    return ", ".join([*filter(None, parts), f"limpet {__version__}", f"torch {_torch_version()}"])


def compute_device(device: str) -> str:
    """The processor with its threads, or the GPU, on which torch computes, and the versions, in words."""
    import torch

    from limpet.tracking.load import choose_device

    chosen = choose_device(device)
    versions = f"limpet {__version__}, torch {torch.__version__}"
    if chosen.type == "cuda":
        return f"{torch.cuda.get_device_name(chosen)}, {versions}"
    threads = torch.get_num_threads()
    return f"{cpu_model()}, {threads} thread{'s' if threads > 1 else ''}, {versions}"


def _torch_version() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "not installed"


def busy() -> float | None:
    """The load of the last minute, where it is high enough to matter; else None."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return load if load > ENOUGH_TO_MATTER else None


def cache_folder() -> Path:
    """The cache folder of the user, as this system names it; it need not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "limpet"


def _read(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    try:
        content = read_json(path)
        for speed in (speed for speeds in content.values() for speed in speeds.values()):
            record_from(ModelSpeed, speed)
        return dict(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError):
        note(
            f"{path} holds no speeds that can be read, so none are shown; it is replaced by the next --measure"
        )
    return {}
