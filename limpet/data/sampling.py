"""Draws clips at random: images, objects and their motion. A pure function of seed, rank and step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from limpet.core.errors import DataError
from limpet.data.clip_scene import ClipStyle, Scene, photo_view, scene_layers, video_view
from limpet.data.config import ClipConfig
from limpet.data.copy_paste import MIN_CUT_PIXELS, pasted_layers
from limpet.data.datasets import VideoSet
from limpet.data.image_cache import ImageCache, UnreadableImageError
from limpet.data.layers import Layer, RawClip, renumber_objects
from limpet.data.merged_clips import merged_layers
from limpet.data.occluders import occluder_layers
from limpet.data.photometric import random_photometric
from limpet.data.random_warps import draw_energy
from limpet.data.stills import Still, split_components
from limpet.data.video_mixture import VideoMixture

REDRAWS = 20
KIND_WEIGHTS = {"objects": 0.65, "parts": 0.2, "regions": 0.15}  # people track whole objects more than parts


class ClipSampler:
    """Draws clips; holds no state but the cached images.

    Args:
        stills: photos. videos: data sets of videos. One of the two may be empty.
        rank: number of the process, so that each draws different clips.

    Raises:
        DataError: both are empty.
    """

    def __init__(
        self,
        config: ClipConfig,
        stills: Sequence[Still],
        videos: Sequence[VideoSet],
        still_cache: ImageCache,
        video_cache: ImageCache,
        rank: int = 0,
    ) -> None:
        if not stills and not videos:
            raise DataError(
                "there are neither photos nor videos to make clips of; give at least one data set"
            )
        self.config, self.rank = config, rank
        self.stills, self.videos = list(stills), VideoMixture(videos, config.object_importance)
        self._still_cache, self._video_cache = still_cache, video_cache
        self._still_probs = _still_probs(self.stills)

    def sample(self, step: int, index: int = 0, progress: float = 0.0, attempt: int = 0) -> RawClip:
        """The clip of this step and place in the batch.

        Args:
            progress: 0 at the start of the training, 1 at its end.
            attempt: another clip for the same place, where the first turned out to show no object.

        Raises:
            DataError: image after image is unreadable or has no object that is large enough.
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
            f"no usable clip in {REDRAWS} draws at step {step}: the images are unreadable or their objects "
            f"smaller than {self.config.min_pixels} pixels; look at the skipped files"
        )

    def _draw(self, rng: np.random.Generator, progress: float) -> RawClip | None:
        config = self.config
        crowd_prob = _between(config.crowd_prob, progress)
        crowded = crowd_prob > 0 and rng.random() < crowd_prob
        video = self._wants_video(rng, _between(config.video_prob, progress))
        scene = self._draw_video(rng, progress) if video else self._draw_still(rng, crowded)
        if scene is None:
            return None
        energy = draw_energy(rng)
        shutter = float(rng.uniform(0.2, 0.6)) if rng.random() < 0.4 else 0.0
        style = ClipStyle(energy, shutter, crowded, config.attached_object_prob)
        view = video_view(rng, scene, config) if video else photo_view(rng, scene, config, energy)

        def another() -> Scene | None:
            return self._another(rng, scene, progress)

        layers = scene_layers(rng, scene, view, style, config, another)
        layers += self._merged(rng, scene, progress, energy, shutter)
        layers += pasted_layers(rng, scene, layers, view, style, another, config)
        if config.occluder_prob > 0 and rng.random() < config.occluder_prob:
            layers += occluder_layers(rng, layers, view, shutter, another)
        layers = renumber_objects(rng, layers, config.max_objects)
        photometric = random_photometric(rng, config.frames, config.max_brightness_change)
        return RawClip(config.frames, config.size, tuple(layers), photometric)

    def _wants_video(self, rng: np.random.Generator, prob: float) -> bool:
        chosen = rng.random() < prob
        return bool(len(self.videos)) and (chosen or not self.stills)

    def _draw_still(self, rng: np.random.Generator, crowded: bool = False) -> Scene | None:
        still = self.stills[rng.choice(len(self.stills), p=self._still_probs)]
        image = self._still_cache.load(still.image, still.mask)
        if self.config.split_components and still.kind == "objects":
            image = split_components(image, self.config.split_components)
        counts = np.bincount(image.mask.ravel(), minlength=256)
        counts[0] = 0
        usable = counts >= MIN_CUT_PIXELS // 2
        if still.kind == "regions":
            usable &= counts < 0.35 * image.mask.size
        ids = np.flatnonzero(usable)
        if not len(ids):
            return None
        if still.kind != "objects" or len(ids) > self.config.max_objects:
            most = 8 if crowded else 3 if still.kind == "regions" else 5
            ids = rng.choice(ids, size=rng.integers(1, min(len(ids), most) + 1), replace=False)
        return Scene((image,), tuple(int(i) for i in ids), still.kind)

    def _draw_video(
        self, rng: np.random.Generator, progress: float, source: int | None = None
    ) -> Scene | None:
        """A scene of a video; ``source``: of this data set."""
        frames = self.config.frames
        if source is None:
            sequence, source = self.videos.draw(rng, progress)
        else:
            sequence = self.videos.draw_from(rng, source)
        gap = max_gap(self.config, progress)
        whole = self.config.whole_video_prob > 0 and rng.random() < self.config.whole_video_prob
        picks = draw_frames(rng, len(sequence), frames, None if whole else gap)
        images = tuple(self._video_cache.load(sequence.frames[i], sequence.masks[i]) for i in picks)
        counts = np.bincount(images[0].mask.ravel(), minlength=256)
        counts[0] = 0
        ids = np.flatnonzero(counts >= self.config.min_pixels)
        if not len(ids):
            return None
        if len(ids) > 2 and rng.random() < 0.4:
            ids = rng.choice(ids, size=rng.integers(1, len(ids)), replace=False)
        ids = ids[: self.config.max_objects]
        return Scene(images, tuple(int(i) for i in ids), "video", source)

    def _merged(
        self, rng: np.random.Generator, scene: Scene, progress: float, energy: float, shutter: float
    ) -> list[Layer]:
        """Layers with the objects of another clip of the same data set, in some clips."""
        prob = self.config.merge_prob
        if scene.source is not None:
            own = self.videos.sets[scene.source].sampling.merge
            prob = prob if own is None else own
        if prob == 0 or rng.random() >= prob:
            return []
        of_photo = scene.source is None
        other = self._draw_still(rng) if of_photo else self._draw_video(rng, progress, scene.source)
        return [] if other is None else merged_layers(rng, other, self.config, energy, shutter)

    def _another(self, rng: np.random.Generator, scene: Scene, progress: float) -> Scene | None:
        """A scene to cut an object out of, for ``scene``."""
        if self._wants_video(rng, 0.5 if scene.kind == "video" else 0.25):
            return self._draw_video(rng, progress)
        return self._draw_still(rng)


def max_gap(config: ClipConfig, progress: float) -> int:
    """The maximum frame gap at ``progress`` (0 to 1): it grows linearly, stays, and may fall back in the end."""
    if config.frame_gap_back < 1 and progress >= config.frame_gap_back:
        return config.max_frame_gap[0]
    return round(_between(config.max_frame_gap, progress / config.frame_gap_full))


def draw_frames(rng: np.random.Generator, length: int, frames: int, max_frame_gap: int | None) -> list[int]:
    """Frame numbers of a clip: random gaps up to ``max_frame_gap``, backwards half of the time.

    None draws them from the whole video. A video that is too short for so many frames is run to and fro.
    """
    if max_frame_gap is None and length >= frames:
        anywhere = np.sort(rng.choice(length, size=frames, replace=False))
        return [int(i) for i in (anywhere if rng.random() < 0.5 else anywhere[::-1])]
    fits = max(min(max_frame_gap or 1, (length - 1) // (frames - 1)), 1)
    gaps = rng.integers(1, fits + 1, size=frames - 1)
    picks = np.concatenate([[0], np.cumsum(gaps)])
    picks = picks + rng.integers(max(length - int(picks[-1]), 1))
    if rng.random() < 0.5:
        picks = picks[::-1]
    turned = picks % max(2 * (length - 1), 1)
    return [int(i) for i in np.minimum(turned, 2 * (length - 1) - turned)]


def _still_probs(stills: Sequence[Still]) -> np.ndarray:
    """Probability of each photo, so that each kind gets its weight however many photos it has."""
    numbers = {kind: sum(still.kind == kind for still in stills) for kind in KIND_WEIGHTS}
    probs = np.array([KIND_WEIGHTS[still.kind] / numbers[still.kind] for still in stills])
    result: np.ndarray = probs / max(probs.sum(), 1e-12)
    return result


def _between(ends: tuple[float, float], progress: float) -> float:
    progress = min(max(progress, 0.0), 1.0)
    return ends[0] + (ends[1] - ends[0]) * progress
