"""What users of other tools reported: many objects over time, turned and reduced video, edits during exports."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from networks import frames, mask_of, small_tracker
from project.tiny import COUNT, Repeats, box, boxes, make_video
from video.clips import make_clip, picture, set_display_matrix

from limpet.core.masks import read_ids
from limpet.project import Project
from limpet.tracking.track_video import track
from limpet.video.encode import H264Writer
from limpet.video.image_reader import read_image
from limpet.video.open import open_video


def test_thirty_five_objects_that_appear_over_time() -> None:
    """Ten at a time share a pass; no id changes, and none is lost while others come."""
    tracker, pictures = small_tracker(), frames(9)
    state = tracker.start(pictures[0], mask_of(1))
    given = {1}
    for number, frame in enumerate(pictures[1:], start=1):
        _, state = tracker.step(frame, state)
        new = np.zeros((65, 97), np.uint8)
        for place in range(5 if number < 7 else 4 if number == 7 else 0):
            new[8 * place : 8 * place + 6, 90 - 9 * number : 97 - 9 * number] = 10 * number + place
        if new.any():
            state = tracker.add(frame, new, state)
            given |= {int(i) for i in np.unique(new) if i}
    assert len(given) == 35 and set(state.object_ids) == given
    assert [len(group.object_ids) for group in state.groups] == [10, 10, 10, 5]
    assert set(state.confidence) == given


def test_objects_given_in_neighbouring_frames_and_late(tmp_path: Path) -> None:
    pictures = frames(12)
    later = {frame: np.where(mask_of(1) > 0, frame, 0).astype(np.uint8) for frame in (2, 3, 11)}
    result = track(pictures, mask_of(1), tmp_path / "out", tracker=small_tracker(), add=later, overlay=False)
    assert result.object_ids == (1, 2, 3, 11) and result.problems == ()
    for frame in later:
        assert frame in np.unique(read_ids(tmp_path / f"out/masks/{frame:05d}.png"))
        assert frame not in np.unique(read_ids(tmp_path / f"out/masks/{frame - 1:05d}.png"))


def test_a_turned_video_that_is_reduced_for_the_network(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "phone.mp4", 4)
    set_display_matrix(clip, 0, 1, -1, 0)
    mask = np.zeros((64, 48), np.uint8)
    mask[8:30, 8:30] = 5
    track(clip, mask, tmp_path / "out", tracker=small_tracker(max_size=32))
    assert read_ids(tmp_path / "out/masks/00003.png").shape == (64, 48)
    with open_video(tmp_path / "out/overlay.mp4") as overlay:
        assert overlay.size == (64, 48)


@pytest.mark.parametrize("rate", [Fraction(240), Fraction(1, 10), Fraction(60_000, 1001)])
def test_overlays_of_any_rate_last_as_long_as_the_video(rate: Fraction, tmp_path: Path) -> None:
    writer = H264Writer(tmp_path / "v.mp4", (48, 64), rate)
    for index in range(30):
        writer.write(picture(index), float(index / rate))
    writer.close()
    with open_video(tmp_path / "v.mp4") as video:
        times = [frame.time for frame in video]
    assert times == pytest.approx([float(index / rate) for index in range(30)], abs=1e-4)


def test_a_ramp_of_ten_bits_stays_a_ramp(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(64, 940, 256).astype(np.uint16), (16, 1))
    with av.open(str(tmp_path / "ramp.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 256, "yuv420p10le"
        frame = av.VideoFrame(256, 16, "yuv420p10le")
        for plane, values in zip(frame.planes, (ramp, np.full((8, 128), 512, np.uint16), None), strict=True):
            rows = values if values is not None else np.full((8, 128), 512, np.uint16)
            padded = np.zeros((rows.shape[0], plane.line_size // 2), np.uint16)
            padded[:, : rows.shape[1]] = rows
            plane.update(padded.tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_video(tmp_path / "ramp.mkv") as video:
        shown = next(iter(video)).image
    assert shown is not None
    grey = shown[8, :, 1].astype(int)
    assert grey[0] <= 1 and grey[-1] >= 252 and (np.diff(grey) >= 0).all() and np.diff(grey).max() <= 3


def test_an_interlaced_video_gives_each_frame_once(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "tv.ts"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options = {"flags": "+ilme+ildct"}
        for index in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    with open_video(tmp_path / "tv.ts") as video:
        assert [frame.index for frame in video] == list(range(8)) and video.failures == []


def test_sound_and_subtitles_are_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48_000)
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for index in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        silence.sample_rate = 48_000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with open_video(path) as video:
        assert len(list(video)) == 8 and video.failures == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.create(tmp_path / "job", make_video(tmp_path / "clip"))
    made.add(0, boxes((1, 2), (2, 9)))
    made.propagate(Repeats())  # type: ignore[arg-type]
    return made


def test_a_correction_is_seen_after_it_and_not_in_a_locked_frame_before(project: Project) -> None:
    project.lock(4)
    before = project.mask_bytes(4)
    project.correct(5, box(1, 12), objects=[1])
    project.propagate(Repeats())  # type: ignore[arg-type]
    assert project.mask_bytes(4) == before and project.status(4) == "locked"
    for frame in (5, 6, COUNT - 1):
        assert np.array_equal(project.mask(frame) == 1, box(1, 12) == 1)


def test_an_object_that_is_deleted_while_an_export_runs(project: Project, tmp_path: Path) -> None:
    """The export is of the project as it was when the export began."""
    whole = {frame: project.mask_bytes(frame) for frame in range(COUNT)}

    def on_frame(done: int, total: int | None) -> None:
        if done == 3:
            other = Project.open(project.path)
            other.remove(2)
            other.tidy(min_age=3600)

    exported = project.export(tmp_path / "out", overlay=False, on_frame=on_frame)
    assert exported.problems == () and exported.frames == COUNT
    for frame, data in whole.items():
        assert (tmp_path / f"out/masks/{frame:05d}.png").read_bytes() == data
    assert list(Project.open(project.path).objects) == [1]


def test_a_picture_that_a_drive_fails_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network drive that answers with an error for one file: that frame repeats its neighbour, and is told."""
    folder = make_video(tmp_path / "clip")

    def read(path: Path) -> np.ndarray:
        if path.name == "0004.png":
            raise OSError(5, "Input/output error")
        return read_image(path)

    monkeypatch.setattr("limpet.video.image_reader.read_image", read)
    with open_video(folder) as video:
        found = list(video)
        assert [frame.index for frame in found if frame.image is None] == [4]
        assert [failure.frame for failure in video.failures] == [4]
