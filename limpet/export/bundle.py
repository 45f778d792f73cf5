"""Makes a bundle: a folder with a tracker's graphs in one format, and a manifest that describes them.

The folder appears whole or not at all: it is made beside its place under a hidden name, and then renamed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from limpet.core.errors import ModelError, OutputError
from limpet.core.files import output_error, temporary_name
from limpet.core.provenance import VERSION
from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD
from limpet.core.tracker_protocol import FlowName
from limpet.export.calibration_clip import SampleClip, demo_clip, fit_clip
from limpet.export.dynamic_shapes import EXAMPLE_SIZE
from limpet.export.parity import BARS, compare, reference_tracker
from limpet.export.program import Programs, make_programs
from limpet.export.writer import ExportOptions, Written, load_writer
from limpet.models.fixed_size import FixedConfig
from limpet.runtime.backends import find_backend
from limpet.runtime.exported_tracker import load_exported
from limpet.runtime.manifest import NAME, Manifest, file_sha256
from limpet.tracking.load import load
from limpet.tracking.memory_policies import default_policy, fixed_size_policy, model_gap
from limpet.tracking.tracker import Tracker

LICENSE_NOTE = "the code is Apache-2.0; the weights keep the license of their file: limpet weights show FILE"
CHECKED_SIZES = ((288, 512), (216, 300))
"""Sizes (H, W) of frames that a bundle for any size is tried on; they differ from the size of the graphs' example."""
RING = 5
"""Default number of tracked frames in memory, for models whose memory grows with the video."""


@dataclass(frozen=True)
class ExportPlan:
    """What to export, and how.

    model, weights: see ``limpet.load``. backend: a name of ``limpet.runtime.backends.BACKENDS``.
    frame_size: (H, W) of the frames in pixels; None for any.
    objects, references, ring, gap, memory: see FixedConfig; None takes what suits the model.
    max_size: limit on the shorter side of the network's image, in pixels.
    flow: source of optical flow, "match" or "none"; None takes that of the weights.
    """

    model: str
    backend: str
    frame_size: tuple[int, int] | None
    weights: Path | None = None
    objects: int = 10
    references: int = 1
    ring: int | None = None
    gap: int | None = None
    memory: str | None = None
    max_size: int | None = 480
    options: ExportOptions = field(default_factory=ExportOptions)
    flow: FlowName | None = None


def export(
    plan: ExportPlan,
    out: Path,
    *,
    overwrite: bool = False,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Manifest:
    """Export a tracker as a bundle.

    Args:
        out: the folder to make.
        overwrite: replace an earlier bundle there.
        on_stage: called at the start of each stage with a few words about it.

    Raises:
        ModelError: an unknown model or format, a precision or number that it cannot have, or an operation that
            the format lacks. WeightsError: see ``limpet.load``. MissingExtraError: a package is not installed.
        OutputError: ``out`` is in use or cannot be written.
    """
    _check(plan)
    writer = load_writer(plan.backend)
    if plan.options.precision == "int8":
        plan = replace(plan, options=replace(plan.options, calibration=calibration_clip(plan)))
    with new_folder(out, overwrite) as folder:
        on_stage("loading the model")
        tracker = load_for(plan)
        on_stage("running the tracker as two graphs")
        programs = make_programs(tracker.model, fixed_config(plan, tracker), any_size=plan.frame_size is None)
        on_stage(f"writing {plan.backend} {plan.options.precision}")
        written = writer(programs, folder, plan.options)
        manifest = describe(plan, tracker, programs, written, folder)
        manifest.write(folder)
        if programs.any_size:
            on_stage("comparing its masks with torch's at two sizes")
            check_sizes(manifest, folder, plan.weights)
        if plan.options.calibration is not None:
            on_stage("comparing its masks with those of fp32")
            manifest = with_loss(manifest, folder, plan.options.calibration, plan.weights)
            manifest.write(folder)
    return manifest


def calibration_clip(plan: ExportPlan) -> SampleClip:
    """The frames that int8 is calibrated and compared on, at the bundle's size; the demo clip where none are given."""
    return fit_clip(plan.options.calibration or demo_clip(), plan.frame_size)


def with_loss(manifest: Manifest, folder: Path, clip: SampleClip, weights: Path | None) -> Manifest:
    """The manifest with a note on how much the bundle's masks differ from those of fp32 along a clip."""
    reference = reference_tracker(manifest, weights)
    found = compare(reference, load_exported(folder), clip.frames, clip.mask)
    measured = "calibrated and compared" if find_backend(manifest.backend).calibrated else "compared"
    note = f"{manifest.precision}, {measured} on {clip.name}: {found.sentence()}"
    if found.mean < BARS[manifest.precision]:
        note += f"; this is below the bar of {BARS[manifest.precision]}: check its masks before you use it"
    return replace(manifest, notes=(*manifest.notes, note))


def check_sizes(manifest: Manifest, folder: Path, weights: Path | None) -> None:
    """Run a bundle for any size on frames of two sizes. Raises ModelError where its masks are not those of torch."""
    clip, reference, exported = demo_clip(), reference_tracker(manifest, weights), load_exported(folder)
    for size in CHECKED_SIZES:
        some = fit_clip(replace(clip, frames=clip.frames[:4]), size)
        found = compare(reference, exported, some.frames, some.mask)
        if found.mean < BARS[manifest.precision]:
            raise ModelError(
                f"the graphs for any size are not right at {size[0]}x{size[1]}: {found.sentence()}; "
                f"export with --size HxW, and report the versions of torch and {manifest.backend}"
            )


def load_for(plan: ExportPlan) -> Tracker:
    """The tracker whose graphs are captured."""
    captured = find_backend(plan.backend).captures
    precision = plan.options.precision if plan.options.precision in captured else "fp32"
    return load(
        plan.model,
        weights=plan.weights,
        device="cpu",
        max_size=plan.max_size,
        precision=precision,  # type: ignore[arg-type]  # captures holds only what for_inference knows
        flow=plan.flow,
    )


def fixed_config(plan: ExportPlan, tracker: Tracker) -> FixedConfig:
    """Sizes and frames in memory: as the model's own policy keeps them, ``RING`` of them where that sets no limit."""
    policy = default_policy(tracker.config)
    kept = policy.max_frames
    ring = plan.ring if plan.ring is not None else RING if kept is None else kept
    frame_size = plan.frame_size or EXAMPLE_SIZE
    network = tracker.sizes.network_size(*frame_size)
    return FixedConfig(
        frame_size,
        network,
        plan.objects,
        plan.references,
        ring,
        plan.gap or model_gap(tracker.config),
        plan.memory or fixed_size_policy(policy),
        tracker.calibration,
    )


def describe(
    plan: ExportPlan, tracker: Tracker, programs: Programs, written: Written, folder: Path
) -> Manifest:
    """The manifest of the files in ``folder``."""
    config, sizes = programs.config, tracker.sizes
    return Manifest(
        backend=plan.backend,
        precision=plan.options.precision,
        model=tracker.name,
        weights_sha256=tracker.weights_sha256,
        calibration=tracker.calibration.to_text() if tracker.calibration else None,
        frame_size=None if programs.any_size else config.frame_size,
        network_size=None if programs.any_size else config.network_size,
        align_corners=sizes.align_corners,
        max_short=sizes.max_short,
        max_long=sizes.max_long,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        objects=config.objects,
        references=config.references,
        ring=config.ring,
        gap=config.gap,
        memory=config.memory,
        start=written.start,
        step=written.step,
        files={
            str(path.relative_to(folder)): file_sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
        notes=(LICENSE_NOTE, *written.notes),
        flow=tracker.flow.name,
        limpet=VERSION,
    )


@contextmanager
def new_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a hidden folder beside ``out``, which becomes ``out`` on success and is removed otherwise.

    Raises:
        OutputError: ``out`` exists and must not be replaced, or is not a bundle, or cannot be written.
    """
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; choose another name, or pass --overwrite")
    if out.exists() and not (out / NAME).is_file():
        raise OutputError(
            f"{out} is not a bundle (it has no {NAME}), so it is not replaced; choose another name"
        )
    making = temporary_name(out)
    try:
        making.mkdir(parents=True)
        yield making
        _put(making, out)
    except OSError as error:
        raise output_error(error, out) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _put(made: Path, out: Path) -> None:
    if not out.exists():
        made.rename(out)
        return
    earlier = temporary_name(out)
    out.rename(earlier)
    made.rename(out)
    shutil.rmtree(earlier, ignore_errors=True)


def _check(plan: ExportPlan) -> None:
    backend, precision = find_backend(plan.backend), plan.options.precision
    if precision not in backend.precisions:
        raise ModelError(
            f"{plan.backend} cannot be written in {precision}; it can in {', '.join(backend.precisions)}"
        )
    if plan.options.compiled and plan.backend != "torch":
        raise ModelError(f"only torch's graphs can be compiled; leave out --compiled for {plan.backend}")
    if plan.frame_size is None and precision == "int8":
        raise ModelError("int8 is measured on frames of one size; give the frames' --size HxW")
    if plan.frame_size is None and not backend.dynamic:
        raise ModelError(f"{plan.backend} cannot leave the size open; give the frames' --size HxW")
    if plan.frame_size is not None and min(plan.frame_size) < 1:
        raise ModelError(f"frames are {plan.frame_size[0]}x{plan.frame_size[1]}; expected sides of 1 or more")
