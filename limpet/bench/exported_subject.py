"""An exported tracker as a subject of measurement. Torch is not imported before the measurement is over."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from limpet.bench.settings import BenchSettings
from limpet.bench.stages import Stages
from limpet.bench.subject import Subject
from limpet.bench.work import Work
from limpet.runtime.manifest import Manifest
from limpet.runtime.tracker import load_exported


def exported_subject(settings: BenchSettings) -> Subject:
    """A step is one stage: an engine does not tell its parts.

    Raises:
        WeightsError, MissingExtraError, ModelError: as of ``load_exported``.
        VideoError, MaskError: the bundle was made for another size, or for fewer objects.
    """
    folder = settings.bundle
    assert folder is not None  # as the settings checked
    tracker = load_exported(
        folder, runtime=settings.engine, precision=settings.precision, threads=settings.threads
    )
    tracker.check_video(settings.size, range(1, settings.objects + 1))
    manifest = tracker.manifest
    network_size = tracker.network_size(settings.size)
    return Subject(
        tracker,
        tracker.engine.runtime,
        manifest.weights_sha256 or "unknown",
        _file_mb(folder, manifest),
        "cpu",
        lambda: None,
        _untold,
        "step",
        lambda frame, state: _count(manifest, settings.size, network_size),
    )


def _untold(stages: Stages) -> AbstractContextManager[None]:
    return nullcontext()


def _file_mb(folder: Path, manifest: Manifest) -> float:
    return sum((folder / name).stat().st_size for name in manifest.files) / 1e6


def _count(manifest: Manifest, frame_size: tuple[int, int], network_size: tuple[int, int]) -> Work | None:
    """Of the graph that was exported, with all its slots and places; None where torch is not installed."""
    try:
        from limpet.bench.graph_work import count_graph
    except ImportError:
        return None
    return count_graph(manifest, frame_size, network_size)
