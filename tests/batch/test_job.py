"""Jobs: from rows of a list, to workers and back, and which of them are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from limpet.batch.job import BatchJob, JobTask, default_name, job_from_row
from limpet.batch.job_settings import JobSettings
from limpet.core.errors import DataError

HERE = Path("/lists")
PLAIN = JobSettings()


def test_a_row_of_text() -> None:
    row = {
        "video": "a/dog.mp4", "mask": "dog.png", "max_size": " 320 ", "flip": "yes", "scales": "1.0, 1.3", "name": "",
        "add": "30:new.png; 60:/other.png", "overlay": "false", "enlarge": "1",
        "weights": "w.safetensors", "frame": "0",
    }  # fmt: skip
    job = job_from_row(row, HERE, replace(PLAIN, model="deaot-nano", max_frames=5))
    assert (job.name, job.video, job.mask) == ("dog", "/lists/a/dog.mp4", "/lists/dog.png")
    assert job.add == {30: "/lists/new.png", 60: "/other.png"}
    assert job.settings == JobSettings(
        "deaot-nano",
        "/lists/w.safetensors",
        320,
        1.0,
        flip=True,
        scales=(1.0, 1.3),
        overlay=False,
        max_frames=5,
    )


def test_a_row_of_json() -> None:
    row = {
        "video": "dog",
        "mask": "dog.png",
        "max_size": 320,
        "scales": [1, 1.3],
        "flip": True,
        "name": "x",
        "add": None,
    }
    job = job_from_row(row, HERE, PLAIN)
    assert job.settings == JobSettings(max_size=320, scales=(1.0, 1.3), flip=True) and job.name == "x"


def test_a_first_mask_of_a_later_frame() -> None:
    row = {"video": "dog.mp4", "mask": "dog.png", "frame": " 12 ", "add": "30:new.png"}
    job = job_from_row(row, HERE, PLAIN)
    assert (job.frame, job.mask, job.add) == (12, "/lists/dog.png", {30: "/lists/new.png"})
    assert job.masks_of_track == (None, {12: "/lists/dog.png", 30: "/lists/new.png"})
    without = {"video": "dog.mp4", "mask": "", "add": ["30:new.png", "12:dog.png"]}
    assert job_from_row(without, HERE, PLAIN) == job, "the earliest of the column add begins"
    first = job_from_row({**without, "add": "30:new.png;0:dog.png"}, HERE, PLAIN)
    assert first == job_from_row({"video": "dog.mp4", "mask": "dog.png", "add": "30:new.png"}, HERE, PLAIN)
    assert first.masks_of_track == ("/lists/dog.png", {30: "/lists/new.png"})
    assert JobTask.from_dict(json.loads(json.dumps(JobTask(job, "out").as_dict()))).job == job
    assert len({job.key(), first.key(), replace(job, frame=13).key()}) == 3


def test_batches_that_were_begun_before_go_on() -> None:
    """The key of a job that begins with the first frame is what it was when there was no other choice."""
    assert BatchJob("dog.mp4", "dog.png", "dog", {3: "new.png"}, PLAIN).key() == "755bc27572eab1d1"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"vidoe": "x"}, "no column 'vidoe'; expected video, mask, name"),
        ({"max_size": "large"}, "max_size is 'large'; expected a whole number"),
        ({"max_size": 1.5}, "max_size is 1.5; expected a whole number"),
        ({"max_frames": True}, "max_frames is True; expected a whole number"),
        ({"flip": "perhaps"}, "flip is 'perhaps'; expected true or false"),
        ({"scales": "a"}, "scales is 'a'; expected numbers, such as 1.0,1.3"),
        ({"memory": 3}, "memory is 3; expected text"),
        ({"add": "new.png"}, "add is 'new.png'; expected FRAME:PNG"),
        ({"add": "3:a.png;3:b.png"}, "add names frame 3 twice"),
        ({"frame": "soon"}, "frame is 'soon'; expected a whole number"),
        ({"frame": -1}, "frame is -1; expected that of the first mask, counted from 0"),
        ({"frame": "12", "mask": "", "add": "20:a.png"}, "frame is 12, but there is no mask of that frame"),
        (
            {"frame": 12, "add": "20:a.png;12:b.png"},
            "adds a mask at frame 12, but its first mask is that of frame 12",
        ),
        ({"frame": 12, "add": "3:a.png"}, "adds a mask at frame 3, but its first mask is that of frame 12"),
        ({"name": "../up"}, "'../up' cannot be that of a folder"),
        ({"name": ".hidden"}, "cannot be that of a folder"),
        ({"name": "a\nb"}, "cannot be that of a folder"),
        ({"name": "Batch.json"}, "that of the batch's own summary"),
        ({"name": "x" * 201}, "longer than 200 bytes"),
        ({"mask": ""}, "has no mask"),
        ({"video": ""}, "has no video"),
        ({"video": 7}, "video is 7; expected text"),
        ({"video": "camera:0", "name": "x"}, "is the stream camera:0"),
        ({"video": "rtsp://host/live", "name": "x"}, "is the stream rtsp://host/live"),
        ({"runtime": "onnx"}, "runtime is 'onnx', but no bundle is given"),
        ({"bundle": "b", "max_size": 320}, "max_size does not go with a bundle"),
    ],
)
def test_what_a_row_cannot_be(row: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as error:
        job_from_row({"video": "dog.mp4", "mask": "dog.png", **row}, HERE, PLAIN)
    assert words in str(error.value)


def test_names_by_default() -> None:
    names = {
        "a/dog.mp4": "dog",
        "a/dog": "dog",
        "a/dog/%05d.jpg": "dog",
        "a/dog/*.png": "dog",
        "v1.2.mp4": "v1.2",
    }
    assert {video: default_name(video) for video in names} == names


def test_a_task_is_the_same_after_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = BatchJob(
        "dog.mp4", "/m/dog.png", "dog", {30: "new.png"}, JobSettings(weights="w", scales=(1.0, 1.3))
    )
    task = JobTask(job.absolute(), "/out/dog", start_again=True)
    assert JobTask.from_dict(json.loads(json.dumps(task.as_dict()))) == task
    assert (task.job.video, task.job.mask) == (str(tmp_path / "dog.mp4"), "/m/dog.png")
    assert task.job.add == {30: str(tmp_path / "new.png")} and task.job.settings.weights == str(
        tmp_path / "w"
    )


def test_moved_files_are_the_same_job_and_other_settings_are_not() -> None:
    job = BatchJob("a/dog.mp4", "a/dog.png", "dog", {3: "a/new.png"}, JobSettings(weights="a/w"))
    moved = BatchJob("b/dog.mp4", "b/dog.png", "dog", {3: "b/new.png"}, JobSettings(weights="b/w"))
    assert job.key() == moved.key() == job.absolute().key()
    others = [
        replace(job, video="a/cat.mp4"),
        replace(job, add={4: "a/new.png"}),
        replace(job, settings=replace(job.settings, max_size=320)),
    ]
    assert len({each.key() for each in (job, *others)}) == 4
