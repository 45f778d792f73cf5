"""The settings of training clips. ``limpet train`` and ``limpet distill`` make options from them."""

from __future__ import annotations

from dataclasses import dataclass

from limpet.core.config_fields import check_options, option
from limpet.core.errors import DataError

CLIPS = "Training clips"


@dataclass(frozen=True)
class ClipConfig:
    """How training clips are made. Pairs are (at the start, at the end) of the training and change linearly.

    >>> ClipConfig(size=257, frames=3).batch
    4
    >>> ClipConfig(size=250)
    Traceback (most recent call last):
    limpet.core.errors.DataError: size is 250, expected 16k + 1 pixels, such as 257, 321 or 465 (16k for stcn)

    The defaults are those of AOT and DeAOT: 5 frames of 465 x 465 pixels, 4 clips per GPU. They need a GPU; on a CPU
    3 frames of 257 pixels and 2 clips take a few seconds per step.
    """

    frames: int = option(5, help="Frames per clip (T).", group=CLIPS, min=2, metavar="N", primary=True)
    size: int = option(
        465,
        help="Side of the square clips in pixels: 16k + 1, such as 257, 321 or 465; 16k for models of such sizes.",
        group=CLIPS,
        min=32,
        metavar="PIXELS",
        primary=True,
    )
    batch: int = option(
        4, help="Batch size per device, in clips (B).", group=CLIPS, min=1, metavar="N", primary=True
    )
    seed: int = option(
        0,
        help="Seed of everything random: the same seed and step give the same clips.",
        group=CLIPS,
        min=0,
        metavar="N",
    )
    video_prob: tuple[float, float] = option(
        (0.5, 0.5),
        help="Probability that a clip comes from a video, at the start and at the end of the training; the others are "
        "synthetic, made from photos.",
        group=CLIPS,
        min=0,
        max=1,
        metavar="A B",
    )
    object_importance: float = option(
        0.0,
        help="Importance sampling: the videos of each data set are drawn with probabilities that are proportional to "
        "this power of the number of objects in the first mask. 0 draws all alike; DeVOS has 1 on MOSE.",
        group=CLIPS,
        min=0,
        max=4,
    )
    crowd_prob: tuple[float, float] = option(
        (0.0, 0.0),
        help="Probability of a crowded clip, at the start and at the end: up to ten objects, many of which look alike.",
        group=CLIPS,
        min=0,
        max=1,
        metavar="A B",
    )
    merge_prob: float = option(
        0.0,
        help="Dynamic merge: probability that the objects of another clip of the same data set are laid over a clip, "
        "with the motion that they have there. AOT has 0.3, DeVOS 0.4.",
        group=CLIPS,
        min=0,
        max=1,
    )
    attached_object_prob: float = option(
        0.0,
        help="Probability that a pasted object is attached to another one and moves with it.",
        group=CLIPS,
        min=0,
        max=1,
    )
    max_frame_gap: tuple[int, int] = option(
        (2, 6),
        help="Maximum frame gap between neighbouring frames of a clip, in frames of the data set, at the start and at "
        "the end of the training.",
        group=CLIPS,
        min=1,
        metavar="A B",
    )
    frame_gap_full: float = option(
        1.0,
        help="Progress at which the maximum frame gap is that of the end. STCN has 0.4 (and gaps 5 25).",
        group=CLIPS,
        above=0,
        max=1,
    )
    frame_gap_back: float = option(
        1.0,
        help="Progress from which the maximum frame gap is that of the start again; 1 never. STCN has 0.9.",
        group=CLIPS,
        min=0,
        max=1,
    )
    whole_video_prob: float = option(
        0.0,
        help="Probability that the frames of a clip from a video are drawn from the whole video, in order of time or "
        "reversed, whatever --max-frame-gap.",
        group=CLIPS,
        min=0,
        max=1,
    )
    max_zoom: float = option(
        1.0,
        help="Maximum zoom over a clip (scale variation): objects and what the camera sees grow or shrink by a factor "
        "drawn log-uniformly up to this one. 1 leaves the small changes of scale that all clips have.",
        group=CLIPS,
        min=1,
        max=10,
    )
    max_rotation: float = option(
        0.0,
        help="Maximum rotation of an object over a clip in degrees, in the image plane and out of it (perspective).",
        group=CLIPS,
        min=0,
        max=180,
        metavar="DEGREES",
    )
    fast_motion_prob: float = option(
        0.0,
        help="Probability that an object cut out of a photo or video moves fast: by 0.15 to 0.45 of the frame from one "
        "frame of the clip to the next.",
        group=CLIPS,
        min=0,
        max=1,
    )
    out_of_view_prob: float = option(
        0.0,
        help="Probability that an object leaves the frame during the clip; most of them come back.",
        group=CLIPS,
        min=0,
        max=1,
    )
    occluder_prob: float = option(
        0.0,
        help="Probability that things without a mask, which the first frame does not show, cross tracked objects "
        "(occlusion).",
        group=CLIPS,
        min=0,
        max=1,
    )
    max_brightness_change: float = option(
        1.0,
        help="Maximum factor by which the brightness changes over a clip, drawn log-uniformly.",
        group=CLIPS,
        min=1,
        max=10,
    )
    split_components: int = option(
        0,
        help="Splits the one object of a photo's mask into connected components of at least this many pixels, so that "
        "each is an object of its own; 0 does not split.",
        group=CLIPS,
        min=0,
        metavar="PIXELS",
    )
    max_objects: int = option(
        10, help="Maximum number of objects per clip (N).", group=CLIPS, min=1, max=255, metavar="N"
    )
    min_pixels: int = option(
        50,
        help="An object smaller than this in the first frame is background in the whole clip.",
        group=CLIPS,
        min=1,
        metavar="PIXELS",
    )
    crop_side: tuple[float, float] = option(
        (0.5, 1.0),
        help="Smallest and largest side of a video's crop, as a share of the video's shorter side.",
        group=CLIPS,
        above=0,
        max=1,
        metavar="A B",
    )
    image_cache_gb: float = option(
        4.0,
        help="Memory for decoded photos, and as much again for decoded frames, for each device, in GB.",
        group=CLIPS,
        min=0,
        metavar="GB",
        may_change=True,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.size % 16 > 1:
            raise DataError(
                f"size is {self.size}, expected 16k + 1 pixels, such as 257, 321 or 465 (16k for stcn)"
            )
