"""The folder of an evaluation: what is done is kept, video by video, so that a second run does only what is missing.

OUT/evaluation.json       the settings that the results depend on
OUT/videos/VIDEO.json     the result of one video
OUT/masks/VIDEO/FRAME.png the masks that the protocol asks for
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from limpet.core.errors import Option, OutputError
from limpet.core.files import atomic_path, lock_file, output_error
from limpet.core.json_text import finite_json, read_json
from limpet.evaluation.video_result import VideoResult
from limpet.evaluation.video_task import check_name

MADE_BY = "limpet eval"
_SETTINGS, _LOCK = "evaluation.json", ".lock"


class EvaluationFolder:
    """One evaluation on the disk.

    Args:
        path: its folder; made if necessary.
        settings: what the results depend on, as JSON holds it. A folder with other settings is refused.
        keeps_masks: whether a video is only done when its masks are there as well.

    Raises:
        OutputError: the folder holds other files, another evaluation, or is in use; or it cannot be written.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], *, keeps_masks: bool = True, overwrite: bool = False
    ) -> None:
        self.path, self.masks, self._videos = path, path / "masks", path / "videos"
        self._keeps_masks = keeps_masks
        self._lock: IO[str] | None = None
        plain = json.loads(json.dumps(settings))
        try:
            earlier = self._earlier_settings()
            if earlier is None and path.is_dir() and any(path.iterdir()) and not overwrite:
                raise OutputError(
                    f"{path} has files already; choose another folder or add ", Option("overwrite")
                )
            if earlier is not None and earlier != plain and not overwrite:
                raise _other_evaluation(path, earlier, plain)
            self._videos.mkdir(parents=True, exist_ok=True)
            self._lock = lock_file(path / _LOCK)
            if overwrite:
                for done in self._videos.rglob("*.json"):
                    done.unlink()
        except BlockingIOError as error:
            raise OutputError(f"another evaluation is writing to {path}; wait until it ends") from error
        except OSError as error:
            raise output_error(error, path) from error
        with atomic_path(path / _SETTINGS) as temporary:
            text = json.dumps({"made_by": MADE_BY, "settings": plain}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")

    def result(self, name: str, stamp: str = "") -> VideoResult | None:
        """The result of a video that is done; None where it is missing, damaged, or of other masks than ``stamp``."""
        try:
            content = read_json(self._file(name))
            result = VideoResult.from_dict(content["result"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if content.get("stamp") != stamp:
            return None
        if self._keeps_masks:
            there = sum(not path.name.startswith(".") for path in (self.masks / name).rglob("*.png"))
            return result if there >= result.answered else None
        return result

    def keep(self, result: VideoResult, stamp: str = "") -> None:
        """Write the result of a video. Raises OutputError."""
        path = self._file(result.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            text = finite_json({"stamp": stamp, "result": result.as_dict()}, "the scores of a video")
            temporary.write_text(text + "\n", encoding="utf-8")

    def release(self) -> None:
        """Let another run use the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _file(self, name: str) -> Path:
        check_name(name)
        return self._videos / f"{name}.json"

    def _earlier_settings(self) -> dict[str, Any] | None:
        try:
            content = read_json(self.path / _SETTINGS)
            return dict(content["settings"]) if content["made_by"] == MADE_BY else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def stamp_of(folder: Path) -> str:
    """What tells whether the files of a folder were changed: their number, sizes and the latest time of change."""
    files = [path.stat() for path in sorted(folder.rglob("*.png"))]
    latest = max((each.st_mtime_ns for each in files), default=0)
    return f"{len(files)} {sum(each.st_size for each in files)} {latest}"


def _other_evaluation(path: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> OutputError:
    names = [name for name in {**earlier, **now} if earlier.get(name) != now.get(name)]
    first = names[0]
    return OutputError(
        f"{path} holds an evaluation with other settings ({first}: {earlier.get(first)}, now {now.get(first)}"
        f"{f', and {len(names) - 1} more' if len(names) > 1 else ''}); choose another folder or add ",
        Option("overwrite"),
    )
