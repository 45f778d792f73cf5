"""What goes into a clip: pictures, objects, how they move. A pure function of seed, rank and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from limpet.core.errors import DataError
from limpet.data.clip_scene import ClipStyle, Scene
from limpet.data.config import ClipConfig
from limpet.data.copy_paste import SMALLEST_CUT, pasted_layers
from limpet.data.folders import Still, VideoSequence
from limpet.data.image_cache import ImageCache, UnreadableImageError
from limpet.data.layers import (
    Layer,
    RawClip,
    View,
    crop_camera,
    crop_that_keeps,
    cut_out,
    moving_layer,
    scene_layer,
    table_of,
    with_labels,
)
from limpet.data.photometric import random_photometric
from limpet.data.random_warps import (
    CAMERA,
    HANDHELD,
    draw_energy,
    keep_inside,
    random_bend,
    random_motion,
    translation,
)

REDRAWS = 20
STILL_SIDES = (0.6, 1.0)
KIND_SHARES = {"objects": 0.65, "parts": 0.2, "regions": 0.15}  # people track whole objects more than parts


class ClipSampler:
    """Draws clips; holds no state but the pictures in memory.

    Args:
        stills: photos; sequences: videos. One of the two may be empty.
        rank: number of the process, so that each draws other clips.

    Raises:
        DataError: both are empty.
    """

    def __init__(
        self,
        config: ClipConfig,
        stills: Sequence[Still],
        sequences: Sequence[VideoSequence],
        still_cache: ImageCache,
        video_cache: ImageCache,
        rank: int = 0,
    ) -> None:
        if not stills and not sequences:
            raise DataError(
                "there are neither photos nor videos to make clips of; give at least one data set"
            )
        self.config, self.rank = config, rank
        self.stills, self.sequences = list(stills), list(sequences)
        self._still_cache, self._video_cache = still_cache, video_cache
        self._still_chances = _chances(self.stills)

    def sample(self, step: int, index: int = 0, progress: float = 0.0, attempt: int = 0) -> RawClip:
        """The clip of this step and place in the batch.

        Args:
            progress: 0 at the start of the training, 1 at its end.
            attempt: another clip for the same place, where the first turned out to show no object.

        Raises:
            DataError: picture after picture is unreadable or has no object that is large enough.
        """
        for redraw in range(REDRAWS):
            rng = np.random.default_rng([self.config.seed, self.rank, step, index, attempt, redraw])
            try:
                clip = self._draw(rng, progress)
            except UnreadableImageError:
                continue
            if clip is not None:
                return clip
        raise DataError(
            f"no usable clip in {REDRAWS} draws at step {step}: the pictures are unreadable or their objects "
            f"smaller than {self.config.min_pixels} pixels; look at the skipped files"
        )

    def _draw(self, rng: np.random.Generator, progress: float) -> RawClip | None:
        config = self.config
        crowds = _between(config.crowd_prob, progress)
        crowded = crowds > 0 and rng.random() < crowds
        video = self._wants_video(rng, _between(config.video_prob, progress))
        scene = self._draw_video(rng, progress) if video else self._draw_still(rng, crowded)
        if scene is None:
            return None
        energy = draw_energy(rng)
        shutter = float(rng.uniform(0.2, 0.6)) if rng.random() < 0.4 else 0.0
        manner = ClipStyle(energy, shutter, crowded, config.attached_object_prob)
        view = self._video_view(rng, scene) if video else self._still_view(rng, scene, energy)
        layers = self._scene_layers(rng, scene, view, manner)
        layers += pasted_layers(rng, scene, layers, view, manner, lambda: self._another(rng, scene, progress))
        layers = with_labels(rng, layers, config.max_objects)
        return RawClip(config.frames, config.size, tuple(layers), random_photometric(rng, config.frames))

    def _wants_video(self, rng: np.random.Generator, share: float) -> bool:
        chance = rng.random() < share
        return bool(self.sequences) and (chance or not self.stills)

    def _draw_still(self, rng: np.random.Generator, crowded: bool = False) -> Scene | None:
        still = self.stills[rng.choice(len(self.stills), p=self._still_chances)]
        picture = self._still_cache.load(still.image, still.mask)
        counts = np.bincount(picture.mask.ravel(), minlength=256)
        counts[0] = 0
        usable = counts >= SMALLEST_CUT // 2
        if still.kind == "regions":
            usable &= counts < 0.35 * picture.mask.size
        ids = np.flatnonzero(usable)
        if not len(ids):
            return None
        if still.kind != "objects" or len(ids) > self.config.max_objects:
            most = 8 if crowded else 3 if still.kind == "regions" else 5
            ids = rng.choice(ids, size=rng.integers(1, min(len(ids), most) + 1), replace=False)
        return Scene((picture,), tuple(int(i) for i in ids), still.kind)

    def _draw_video(self, rng: np.random.Generator, progress: float) -> Scene | None:
        frames = self.config.frames
        sequence = self.sequences[rng.integers(len(self.sequences))]
        picks = draw_frames(rng, len(sequence), frames, round(_between(self.config.max_frame_gap, progress)))
        pictures = tuple(self._video_cache.load(sequence.frames[i], sequence.masks[i]) for i in picks)
        counts = np.bincount(pictures[0].mask.ravel(), minlength=256)
        counts[0] = 0
        ids = np.flatnonzero(counts >= self.config.min_pixels)
        if not len(ids):
            return None
        if len(ids) > 2 and rng.random() < 0.4:
            ids = rng.choice(ids, size=rng.integers(1, len(ids)), replace=False)
        ids = ids[: self.config.max_objects]
        return Scene(pictures, tuple(int(i) for i in ids), "video")

    def _still_view(self, rng: np.random.Generator, scene: Scene, energy: float) -> View:
        size, frames = self.config.size, self.config.frames
        mask = scene.pictures[0].mask
        crop = crop_that_keeps(rng, [np.isin(mask, scene.ids)], STILL_SIDES, float(rng.uniform(0.4, 1.0)))
        first = crop_camera(rng, crop, size, float(rng.normal(0.0, 0.08)))
        middle = (size / 2, size / 2)
        motion = random_motion(rng, frames, CAMERA, energy, middle, size, size / 2)
        return View(size, keep_inside(first @ np.linalg.inv(motion), size, *mask.shape))

    def _video_view(self, rng: np.random.Generator, scene: Scene) -> View:
        """The crop stays where it is: the video's own motion is the real thing. Sometimes the hand shakes."""
        config, mask = self.config, scene.pictures[0].mask
        # most crops keep the objects to the end: a clip that they leave at once teaches little
        frames = [0, -1] if rng.random() < 0.7 else [0]
        objects = [np.isin(scene.pictures[t].mask, scene.ids) for t in frames]
        crop = crop_that_keeps(rng, objects, config.crop_side, float(rng.uniform(0.5, 1.0)))
        turn = float(rng.normal(0.0, 0.08)) if rng.random() < 0.3 else 0.0
        first = crop_camera(rng, crop, config.size, turn)
        energy = draw_energy(rng) if rng.random() < 0.3 else 0.0
        middle = (config.size / 2, config.size / 2)
        motion = random_motion(rng, config.frames, HANDHELD, energy, middle, config.size, config.size / 2)
        return View(config.size, keep_inside(first @ np.linalg.inv(motion), config.size, *mask.shape))

    def _scene_layers(
        self, rng: np.random.Generator, scene: Scene, view: View, manner: ClipStyle
    ) -> list[Layer]:
        if scene.kind == "video":
            return [scene_layer(view, scene.pictures, table_of(scene.ids), None, 0.0)]
        mask = scene.pictures[0].mask
        bend = random_bend(rng, self.config.frames, CAMERA.bend * manner.energy, *mask.shape)
        whole = scene_layer(view, scene.pictures, table_of(scene.ids), bend, manner.shutter)
        covered = np.isin(mask, scene.ids).mean()
        if scene.kind != "objects" or covered > 0.4 or rng.random() < 0.4:
            return [whole]
        lifted = []
        for number in scene.ids[:4]:  # each moves by itself, over a scene that closes behind it
            thing = cut_out(scene.pictures, [number], self.config.min_pixels)
            if thing is not None:
                placement = np.linalg.inv(translation(-thing.left, -thing.top) @ view.camera[0])
                own, shutter = manner.energy * 0.8, manner.shutter
                layer = moving_layer(rng, view, thing, placement, own, number, shutter=shutter)
                lifted += [layer] if layer is not None else []
        holes = np.zeros(256, np.uint8)
        holes[[layer.label for layer in lifted if layer.label is not None]] = 1
        rest = np.setdiff1d(scene.ids, np.flatnonzero(holes))
        if len(rest):  # more objects than are lifted: leave everything in the photo
            return [whole]
        # masks seldom reach the very edge of an object: what is left of it would give away where it was
        behind = tuple(cv2.dilate(holes[m], np.ones((9, 9), np.uint8)) for m in whole.masks)
        return [replace(whole, masks=behind, fill_holes=True), *lifted]

    def _another(self, rng: np.random.Generator, scene: Scene, progress: float) -> Scene | None:
        """A scene to cut an object out of, for ``scene``."""
        if self._wants_video(rng, 0.5 if scene.kind == "video" else 0.25):
            return self._draw_video(rng, progress)
        return self._draw_still(rng)


def draw_frames(rng: np.random.Generator, length: int, frames: int, max_frame_gap: int) -> list[int]:
    """Frame numbers of a clip: random gaps up to ``max_frame_gap``, backwards half of the time.

    A video that is too short for so many frames is run to and fro.
    """
    fits = max(min(max_frame_gap, (length - 1) // (frames - 1)), 1)
    gaps = rng.integers(1, fits + 1, size=frames - 1)
    picks = np.concatenate([[0], np.cumsum(gaps)])
    picks = picks + rng.integers(max(length - int(picks[-1]), 1))
    if rng.random() < 0.5:
        picks = picks[::-1]
    turned = picks % max(2 * (length - 1), 1)
    return [int(i) for i in np.minimum(turned, 2 * (length - 1) - turned)]


def _chances(stills: Sequence[Still]) -> np.ndarray:
    """Chance of each photo, so that the kinds get their shares whatever their numbers."""
    numbers = {kind: sum(still.kind == kind for still in stills) for kind in KIND_SHARES}
    chances = np.array([KIND_SHARES[still.kind] / numbers[still.kind] for still in stills])
    result: np.ndarray = chances / max(chances.sum(), 1e-12)
    return result


def _between(ends: tuple[float, float], progress: float) -> float:
    progress = min(max(progress, 0.0), 1.0)
    return ends[0] + (ends[1] - ends[0]) * progress
