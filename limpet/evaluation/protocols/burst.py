"""The exemplar-guided protocol of BURST (Athar et al., WACV 2023): frames in folders, masks as RLE in one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError, MaskError
from limpet.core.files import atomic_path
from limpet.core.json_text import read_json
from limpet.core.limits import is_frame_size, limits
from limpet.data.datasets import require_files
from limpet.evaluation.hota import TrackClass
from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol, RuleSource
from limpet.evaluation.saved_masks import answer_files, read_answer
from limpet.evaluation.video_task import ObjectPlanes, TaskObject, VideoTask
from limpet.exchange.coco_rle import compress, counts_to_mask, decompress, mask_counts

_BURST = "https://github.com/Ali2500/BURST-benchmark"
_CODE = f"{_BURST} README.md"
FRAMES = ("frames", "images")
TRUTH, GIVEN, RESULTS = "all_classes.json", "first_frame_annotations.json", "results.json"
_COMMON = frozenset({
    4, 13, 34, 35, 36, 41, 45, 58, 60, 78, 79, 81, 91, 95, 99, 118, 126, 133, 139, 154, 174, 185, 211, 221, 229, 235,
    237, 276, 299, 347, 371, 382, 392, 428, 429, 452, 475, 480, 502, 544, 579, 621, 625, 642, 699, 714, 717, 729, 747,
    779, 805, 829, 852, 896, 926, 937, 961, 979, 980, 982, 993, 1001, 1018, 1038, 1057, 1091, 1097, 1099, 1115, 1117,
    1122, 1132, 1135, 1144, 1155, 1162, 1215, 1229,
})  # fmt: skip
"""The common classes (burstapi/eval/run.py, print_results); all others are uncommon."""
_LEFT_OUT = frozenset({
    20, 63, 108, 180, 188, 204, 212, 247, 303, 403, 407, 415, 490, 504, 507, 513, 529, 567, 569, 588, 672, 691, 702,
    708, 711, 720, 736, 737, 798, 813, 815, 827, 831, 851, 877, 883, 912, 971, 976, 1130, 1133, 1134, 1169, 1184, 1220,
})  # fmt: skip
"""Classes without HOTA, "distractors" (trackeval/datasets/burst_helpers/burst_base.py)."""
_MERGED = {153: 943, 201: 1175, 207: 554, 967: 529}
"""Classes that count as another one (assets/tao_categories.json, "merged"; the others there are left out)."""


@dataclass(frozen=True)
class RleMasks:
    """Masks of a video as COCO RLE.

    Args:
        video: its name, for errors.
        rles: index of the frame -> number of the object -> compressed RLE.
        size: (H, W) in pixels.
    """

    video: str
    rles: Mapping[int, Mapping[int, str]]
    size: tuple[int, int]

    def read(self, index: int) -> ObjectPlanes:
        """The masks of the frame with this index. Raises DataError for RLEs that cannot be read."""
        pixels = self.size[0] * self.size[1]
        try:
            planes = {
                number: counts_to_mask(decompress(text, pixels), self.size)
                for number, text in self.rles.get(index, {}).items()
            }
        except MaskError as error:
            raise DataError(f"video '{self.video}', frame {index}: {error}") from error
        return ObjectPlanes(planes, self.size)


class BurstProtocol(EvaluationProtocol):
    """BURST, or any data set laid out like it: a split is a folder with JSON files."""

    key = "burst"
    title = "BURST"
    layout = (
        f"BURST: val/{TRUTH} or val/{GIVEN} (in ROOT or ROOT/annotations), and frames/val/SOURCE/VIDEO/*.jpg (or "
        "images/val)"
    )
    default_split = "val"
    rules = (
        RuleSource("the first mask of each object is given", f"{_CODE}: first_frame_annotations.json"),
        RuleSource(
            "the tracker sees all frames; the annotated ones (1 per second) count", f"{_CODE}, Frame-rate"
        ),
        RuleSource(
            "an empty mask is left out of the file of results",
            f"{_CODE}, Evaluation: 'completely omit the entry'",
        ),
        RuleSource(
            "HOTA, DetA and AssA, BURST's own measures, are over all annotated frames that show an object, the given "
            "ones included, and averaged over classes, over the common and over the uncommon ones",
            f"{_BURST} burstapi/eval/run.py and burstapi/thirdparty/trackeval/datasets/burst_helpers/burst_base.py",
        ),
        RuleSource(
            "HOTA compares the boxes around masks, as BURST's code does; HOTA of masks is reported beside it",
            f"{_BURST} burstapi/thirdparty/trackeval/datasets/burst_helpers/burst_base.py, _load_raw_file: 'bbox'",
        ),
        RuleSource(
            "J and F of an object are over the annotated frames after its first one",
            "BURST has no J and F; this is as in https://github.com/facebookresearch/sam2 sav_dataset/README.md",
        ),
    )

    def names(self) -> tuple[str, ...]:
        return tuple(self.sequences)

    def task(self, name: str) -> VideoTask:
        sequence = self.sequences[name]
        frames = tuple(self._frames / name / file for file in sequence["all_image_paths"])
        index = {path.name: position for position, path in enumerate(frames)}
        annotated = [index[file] for file in sequence["annotated_image_paths"]]
        size = int(sequence["height"]), int(sequence["width"])
        tracks = sorted({int(track) for shown in sequence["segmentations"] for track in shown})
        numbers = {track: number for number, track in enumerate(tracks, start=1)}
        rles = {
            at: {numbers[int(track)]: shown[track]["rle"] for track in shown}
            for at, shown in zip(annotated, sequence["segmentations"], strict=True)
        }
        begins = {
            number: min(at for at, shown in rles.items() if number in shown) for number in numbers.values()
        }
        objects = tuple(
            TaskObject(
                track,
                number,
                begins[number],
                tuple(at for at in annotated if at > begins[number]) if self._labelled else (),
                category=self._category_names.get(
                    category := _category(sequence, track), str(category or "")
                ),
            )
            for track, number in numbers.items()
        )
        return VideoTask(
            name,
            frames,
            objects,
            RleMasks(name, rles, size),
            tuple(annotated),
            self._labelled,
            overlap=True,
            folders={number: f"{track:03}" for track, number in numbers.items()},
            track_classes=self._track_classes(sequence, numbers) if self._labelled else {},
        )

    def _track_classes(
        self, sequence: Mapping[str, Any], numbers: Mapping[int, int]
    ) -> dict[int, TrackClass]:
        """Number of each track -> its class; without those that are left out before classes are merged."""
        classes = {}
        for track, number in numbers.items():
            category = _category(sequence, track)
            if category not in _LEFT_OUT:
                category = _MERGED.get(category, category)
                name = self._category_names.get(category, str(category or "no class"))
                group = ("common" if category in _COMMON else "uncommon") if category else ""
                classes[number] = TrackClass(name, group, category not in _LEFT_OUT)
        return classes

    def write_results(self, masks: Path, out: Path) -> list[str]:
        """Write ``results.json`` in the format of the annotations, for BURST's own code."""
        sequences = [
            {
                **{key: value for key, value in sequence.items() if key != "segmentations"},
                "segmentations": shown,
            }
            for name, sequence in self.sequences.items()
            for shown in [self._segmentations(self.task(name), masks)]
        ]
        with atomic_path(out / RESULTS) as temporary:
            temporary.write_text(json.dumps({**self.content, "sequences": sequences}), encoding="utf-8")
        return [RESULTS]

    def _segmentations(self, task: VideoTask, masks: Path) -> list[dict[str, dict[str, str]]]:
        """The tracks in each annotated frame; an empty mask has no entry."""
        found = []
        for index in task.answers:
            saved = read_answer(answer_files(masks, task, index), task)
            shown = {each.id: saved.plane(each.number) for each in task.objects if each.begins <= index}
            found.append(
                {
                    str(track): {"rle": compress(mask_counts(mask))}
                    for track, mask in shown.items()
                    if mask.any()
                }
            )
        return found

    @property
    def rate(self) -> str:
        return "all frames"

    @cached_property
    def content(self) -> dict[str, Any]:
        """The JSON file of the split. Raises DataError."""
        path = self._file
        try:
            content: dict[str, Any] = read_json(path, limits().json_bytes)
            for sequence in content["sequences"]:
                _check(sequence)
            for category in content.get("categories", ()):
                int(category["id"]), category["name"]
            return content
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is not a file of BURST ({error!r}); download it again") from error

    @cached_property
    def _category_names(self) -> dict[int, str]:
        return {int(each["id"]): str(each["name"]) for each in self.content.get("categories", ())}

    @cached_property
    def sequences(self) -> dict[str, dict[str, Any]]:
        """``SOURCE/VIDEO`` -> its entry in the JSON file; those without an object are left out."""
        found = {
            f"{each['dataset']}/{each['seq_name']}": each
            for each in self.content["sequences"]
            if any(each["segmentations"])
        }
        for name, each in found.items():
            paths = tuple(self._frames / name / file for file in each["all_image_paths"])
            require_files(paths, f"video '{name}' lacks the frames")
        return found

    @cached_property
    def _file(self) -> Path:
        for folder in (self.root / "annotations" / self.split, self.root / self.split):
            for name in (TRUTH, GIVEN):
                if (folder / name).is_file():
                    return folder / name
        raise DataError(f"there is no {TRUTH} of split '{self.split}' in {self.root}; expected {self.layout}")

    @property
    def _labelled(self) -> bool:
        return self._file.name != GIVEN

    @cached_property
    def _frames(self) -> Path:
        for name in FRAMES:
            if (self.root / name / self.split).is_dir():
                return self.root / name / self.split
        raise DataError(f"there are no frames of split '{self.split}' in {self.root}; expected {self.layout}")


def _category(sequence: Mapping[str, Any], track: int) -> int:
    """The category of a track; 0 where the file does not tell it."""
    return int(sequence.get("track_category_ids", {}).get(str(track), 0))


def _check(sequence: dict[str, Any]) -> None:
    """Raises ValueError or KeyError for an entry that is not one of BURST."""
    files = sequence["all_image_paths"]
    annotated, shown = sequence["annotated_image_paths"], sequence["segmentations"]
    if len(annotated) != len(shown) or not set(annotated) <= set(files):
        raise ValueError(
            f"'{sequence['seq_name']}': annotated frames and segmentations do not belong together"
        )
    if not is_frame_size(int(sequence["height"]), int(sequence["width"])):
        raise ValueError(f"'{sequence['seq_name']}': the size is not one of a frame")
    for track, segment in ((track, segment) for each in shown for track, segment in each.items()):
        if int(track) < 0 or not isinstance(segment["rle"], str):
            raise ValueError(f"'{sequence['seq_name']}': track {track} has no RLE")
    if any(int(category) < 0 for category in sequence.get("track_category_ids", {}).values()):
        raise ValueError(f"'{sequence['seq_name']}': a category is below 0")
    for part in (sequence["dataset"], sequence["seq_name"], *files):
        if not part or "/" in part or "\\" in part or part in (".", ".."):
            raise ValueError(f"{part!r} is not the name of a file or folder")
