"""The speeds that were measured on this machine, kept in a small JSON file in the user's cache folder."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from limpet import __version__
from limpet.bench.machine import cpu_model
from limpet.cli.say import note
from limpet.errors import OutputError
from limpet.files import atomic_path, output_error

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
