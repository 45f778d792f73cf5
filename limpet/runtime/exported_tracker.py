"""An exported tracker, with the interface of ``limpet.Tracker`` but without torch.

tracker     = load_exported("tracker-onnx")
state       = tracker.start(frame, mask)
mask, state = tracker.step(frame, state)
state       = tracker.add(frame, mask, state)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.calibration import Calibration
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.core.groups import check_mask, into_slots, object_ids
from limpet.core.sizes import STRIDE, SizeRule, check_frame, resize_frame
from limpet.core.tracker_protocol import Image, Mask, TrackerFacts, check_state, checked_confidence
from limpet.runtime.engine import Engine, EngineOptions, open_engine
from limpet.runtime.exported_state import ExportedState, MemoryLayout, with_reference
from limpet.runtime.manifest import Manifest

MIN_SIDE = 2 * STRIDE
"""Of the network's image, in pixels, where the size was left open (limpet/export/dynamic_shapes.py)."""


class ExportedTracker:
    """Tracks objects with the graphs of a bundle. It holds no state, so that several videos can share one tracker.

    Args:
        manifest: of the bundle. engine: runs its graphs.
        folder: of the bundle, for messages.

    Attributes:
        name: of the model.
        calibration: Platt scaling that makes confidences of soft IoUs; None leaves them as they are.
        resumable: False, because states cannot be written to a disk.
    """

    resumable = False

    def __init__(self, manifest: Manifest, engine: Engine, folder: str = "the bundle") -> None:
        self.manifest, self.engine, self.name = manifest, engine, manifest.model
        self._folder = folder
        text = manifest.calibration
        self.calibration = None if text is None else Calibration.from_text(text, folder)
        self._sizes = SizeRule(manifest.max_short, manifest.max_long, manifest.align_corners)
        self._layout = MemoryLayout(manifest.references, manifest.ring)

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights that were exported."""
        return self.manifest.weights_sha256

    def check_video(self, frame_size: tuple[int, int], object_ids: Collection[int]) -> None:
        """Checks that frames of (H, W) with so many objects can be tracked.

        Raises:
            VideoError: the bundle was made for frames of another size, or they are tiny. MaskError: for fewer objects.
        """
        self.network_size(frame_size)
        self._check_count(object_ids)

    def facts(self, frame_size: tuple[int, int]) -> TrackerFacts:
        """See ``Tracker.facts``; ``device`` is the runtime that computes."""
        manifest = self.manifest
        return TrackerFacts(
            flow=self.manifest.flow,
            model=manifest.model,
            weights_sha256=manifest.weights_sha256,
            precision=self.engine.precision,
            network_size=self.network_size(frame_size),
            augmentation=None,
            calibration=self.calibration,
            memory=self._layout.sentence(manifest.memory),
            memory_gap=manifest.gap if manifest.ring else None,
            memory_max_frames=manifest.references + manifest.ring,
            memory_budget_mb=None,
            objects_at_once=None,
            device=self.engine.runtime,
            bundle={
                "backend": manifest.backend,
                "precision": manifest.precision,
                "limpet": manifest.limpet,
            },
        )

    def network_size(self, frame_size: tuple[int, int]) -> tuple[int, int]:
        """(P, Q) of the network's image for frames of (H, W). Raises VideoError for a size that it cannot take."""
        self._check_size(frame_size)
        size = self.manifest.network_size or self._sizes.network_size(*frame_size)
        if self.manifest.network_size is None and min(size) < MIN_SIDE:
            raise VideoError(
                f"the frames are {frame_size[0]}x{frame_size[1]}, which the network would get at {size[0]}x{size[1]}; "
                f"a bundle for any size needs {MIN_SIDE} each way: enlarge them, or export with --size"
            )
        return size

    def start(self, frame: Image, mask: Mask) -> ExportedState:
        """Start with a frame whose masks are known.

        Args:
            frame: uint8 (H, W, 3) RGB.
            mask: uint8 (H, W) of object ids 1..255, kept as given; 0 is background.

        Raises:
            VideoError: wrong shape or dtype, or a size that the bundle was not made for.
            MaskError: wrong shape or dtype, another size, no object, or more objects than the bundle has slots for.
        """
        check_frame(frame)
        check_mask(mask, frame.shape[:2])
        ids = object_ids(mask)
        self.check_video(frame.shape[:2], ids)
        values = self._start(frame, mask, ids)
        nbytes = mask.nbytes + sum(self.engine.as_array(value).nbytes for value in values.values())
        return ExportedState(
            values, ids, 0, mask.copy(), dict.fromkeys(ids, 1.0), (0,), self.manifest, nbytes
        )

    def step(self, frame: Image, state: ExportedState) -> tuple[Mask, ExportedState]:
        """Track all objects into the next frame.

        Returns:
            The mask, uint8 (H, W) of ids at the size of the frame, and the state after the frame.

        Raises:
            VideoError: wrong shape or dtype, or a size other than that of the first frame.
            ModelError: the state was made by another bundle.
        """
        self._check(frame, state)
        found = self.engine.step({"image": self._image(frame), **state.values})
        slots = self.engine.as_array(found.pop("mask"))[0]
        soft_iou = self.engine.as_array(found.pop("soft_iou"))[0]
        found.pop("logits")
        mask = np.array([0, *state.object_ids], np.uint8)[slots]
        after = replace(
            state,
            values={**state.values, **found},
            frame_index=state.frame_index + 1,
            mask=mask,
            confidence=self._confidences(state.object_ids, soft_iou),
        )
        return mask.copy(), after

    def add(self, frame: Image, mask: Mask, state: ExportedState) -> ExportedState:
        """Add objects, or correct some, in the frame of the last step; the frame becomes a reference for all.

        It takes the next free place for references. If all are taken, it replaces the last reference; with a single
        place, that is the first frame.

        Args:
            frame: the frame of the last ``step`` (or ``start``), uint8 (H, W, 3).
            mask: uint8 (H, W). An id that is not tracked yet becomes a new object; for a tracked id, this mask replaces
                the predicted one. Pixels of 0 keep the prediction.

        Raises:
            VideoError, MaskError, ModelError: see ``start`` and ``step``.
        """
        self._check(frame, state)
        check_mask(mask, state.frame_size)
        given = object_ids(mask)
        ids = (*state.object_ids, *(i for i in given if i not in state.object_ids))
        self._check_count(ids)
        merged = np.where(mask > 0, mask, np.where(np.isin(state.mask, given), 0, state.mask)).astype(
            np.uint8
        )
        fresh, values = self._arrays(self._start(frame, merged, ids)), self._arrays(state.values)
        place, references = self._layout.choose(state.references, state.frame_index)
        newest = bool(self._layout.ring) and int(values["since"][0]) == 0
        offered = newest and state.frame_index not in state.references
        return replace(
            state,
            values=with_reference(values, fresh, self._layout, place, offered),
            object_ids=ids,
            mask=merged,
            confidence=state.confidence | dict.fromkeys(given, 1.0),
            references=references,
        )

    def _start(self, frame: Image, mask: Mask, ids: Sequence[int]) -> dict[str, Any]:
        return self.engine.start({"image": self._image(frame), "mask": into_slots(mask, ids)[np.newaxis]})

    def _image(self, frame: Image) -> NDArray[np.float32]:
        size = self.network_size(frame.shape[:2])
        return normalised_image(frame, size, self.manifest.mean, self.manifest.std)

    def _arrays(self, values: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        return {name: self.engine.as_array(value) for name, value in values.items()}

    def _confidences(self, ids: Sequence[int], soft_iou: NDArray[np.float32]) -> dict[int, float]:
        found = {i: checked_confidence(i, float(soft_iou[slot])) for slot, i in enumerate(ids, start=1)}
        return found if self.calibration is None else {i: self.calibration(x) for i, x in found.items()}

    def _check(self, frame: Image, state: ExportedState) -> None:
        check_frame(frame)
        check_state(state, ExportedState)
        if state.manifest != self.manifest:
            raise ModelError(
                f"the state is of another bundle ({state.manifest.model}, {state.manifest.backend} "
                f"{state.manifest.precision}) than {self._folder}; step it with the tracker that made it"
            )
        if frame.shape[:2] != state.frame_size:
            raise VideoError(
                f"the frame is {frame.shape[0]}x{frame.shape[1]} but the first was "
                f"{state.frame_size[0]}x{state.frame_size[1]}; start again from a frame of the new size"
            )

    def _check_size(self, size: tuple[int, int]) -> None:
        made_for = self.manifest.frame_size
        if made_for is not None and tuple(size) != made_for:
            raise VideoError(
                f"the frames are {size[0]}x{size[1]} but {self._folder} was exported for {made_for[0]}x{made_for[1]}; "
                f"make one for them with: limpet export {self.manifest.model} --to {self.manifest.backend} "
                f"--size {size[0]}x{size[1]}"
            )

    def _check_count(self, ids: Collection[int]) -> None:
        most = self.manifest.objects
        if len(ids) > most:
            raise MaskError(
                f"there are {len(ids)} objects but {self._folder} was exported for {most} at most; draw fewer, export "
                f"it with --objects {len(ids)} (a model has 10 slots), or track without a bundle, which knows no limit"
            )


def load_exported(
    folder: Path | str, *, runtime: str | None = None, precision: str = "auto", threads: int | None = None
) -> ExportedTracker:
    """A tracker from the bundle that ``limpet export`` made.

    >>> import limpet
    >>> tracker = limpet.load_exported("bundle")  # doctest: +SKIP
    >>> state = tracker.start(frame, mask)        # doctest: +SKIP

    Args:
        folder: of the bundle.
        runtime: the backend that it must have been made for; None takes any.
        precision: "auto" computes as it was exported; OpenVINO can also take "fp32" or "bf16".
        threads: of the processor; None leaves it to the runtime.

    Raises:
        WeightsError: not a bundle, one of an unknown format, or a damaged one. MissingExtraError: its runtime is not
            installed.
        ModelError: it is for another backend, or cannot be computed in this precision.
    """
    options = EngineOptions(precision, threads)
    manifest = Manifest.read(Path(folder))
    if runtime is not None and runtime != manifest.backend:
        raise ModelError(
            f"{folder} is a bundle for {manifest.backend}, not for {runtime}; leave the runtime out, or make one with: "
            f"limpet export {manifest.model} --to {runtime} --size {_size_option(manifest)}"
        )
    return ExportedTracker(manifest, open_engine(manifest, Path(folder), options), str(folder))


def _size_option(manifest: Manifest) -> str:
    return "any" if manifest.frame_size is None else "x".join(map(str, manifest.frame_size))


def normalised_image(
    frame: NDArray[np.uint8],
    size: tuple[int, int],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Frame (H, W, 3) RGB 0..255 -> (1, 3, P, Q) float32 of the network's size; the numbers are ``prepare_image``'s.

    Args:
        mean, std: of RGB in 0..1.
    """
    image = np.empty((1, 3, *size), np.float32)
    pixels = resize_frame(frame, size)
    means, stds = (np.array(three, np.float32) * np.float32(255) for three in (mean, std))
    for channel in range(3):
        plane = image[0, channel]
        cv2.extractChannel(pixels, channel, plane)
        plane -= means[channel]
        plane /= stds[channel]
    return image
