"""Lists of jobs: a folder with masks beside the videos, CSV, JSON lines; what is wrong is said before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.batch.job import BatchJob
from limpet.batch.job_list import check_jobs, open_jobs
from limpet.batch.job_settings import JobSettings
from limpet.core.errors import DataError

SETTINGS = JobSettings(model="deaot-nano")
OUT = Path("out")


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_a_folder(tmp_path: Path) -> None:
    files = ("b.mp4", "b.png", "a.MOV", "a_mask.png", "frames/0.jpg", "frames.png", "lonely.mkv", "stray.png")
    touch(tmp_path, *files, ".hidden.mp4", "out/b/report.json", "notes.txt", "v1.2/0.png", "v1.2.png")
    jobs = open_jobs(tmp_path, tmp_path / "out", SETTINGS)
    for _ in range(2):  # as often as it is needed
        found = {job.name: (Path(job.video).name, Path(job.mask).name) for job in jobs}
        assert found == {
            "a": ("a.MOV", "a_mask.png"),
            "b": ("b.mp4", "b.png"),
            "frames": ("frames", "frames.png"),
            "v1.2": ("v1.2", "v1.2.png"),
        }
    assert all(job.settings == SETTINGS for job in jobs) and check_jobs(jobs) == 4
    assert jobs.skipped == [  # type: ignore[attr-defined]
        "lonely.mkv: there is no mask lonely.png beside it",
        "stray.png: it is the mask of no video",
    ]


def test_masks_of_later_frames_in_a_folder(tmp_path: Path) -> None:
    touch(
        tmp_path, "dog.mp4", "dog.png", "dog@30.png", "dog@007.png", "late/0.jpg", "late@12.png", "late@3.png"
    )
    touch(tmp_path, "own@5.mp4", "own@5.png", "own.mp4", "own@x.png", "other@1.png")
    jobs = open_jobs(tmp_path, OUT, SETTINGS)
    found = {
        job.name: (
            job.frame,
            Path(job.mask).name,
            {frame: Path(mask).name for frame, mask in job.add.items()},
        )
        for job in jobs
    }
    assert found == {
        "dog": (0, "dog.png", {7: "dog@007.png", 30: "dog@30.png"}),
        "late": (3, "late@3.png", {12: "late@12.png"}),
        "own@5": (0, "own@5.png", {}),
    }
    assert jobs.skipped == [  # type: ignore[attr-defined]
        "own.mp4: there is no mask own.png beside it",
        "other@1.png: it is the mask of no video",
        "own@x.png: it is the mask of no video",
    ]


@pytest.mark.parametrize("files", [("dog@30.png", "dog@030.png"), ("dog_mask.png", "dog@0.png")])
def test_two_masks_of_one_frame_in_a_folder(tmp_path: Path, files: tuple[str, ...]) -> None:
    touch(tmp_path, "dog.mp4", *files)
    with pytest.raises(
        DataError, match=r"are both the mask of frame (0|30) of dog; draw their objects into one"
    ):
        check_jobs(open_jobs(tmp_path, OUT, SETTINGS))


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(
        '\ufeffvideo, mask,name,scales,max_size\na.mp4,a.png,,"1.0,1.3",\n\nb.mp4,b.png,bee,,320\n',
        encoding="utf-8",
    )
    (tmp_path / "jobs.jsonl").write_text(
        '{"video": "a.mp4", "mask": "a.png", "scales": [1, 1.3]}\n\n'
        '{"video": "b.mp4", "mask": "b.png", "name": "bee", "max_size": 320}\n'
    )
    first, second = (list(open_jobs(tmp_path / name, OUT, SETTINGS)) for name in ("jobs.csv", "jobs.jsonl"))
    assert first == second
    assert first == [
        BatchJob(
            f"{tmp_path}/a.mp4", f"{tmp_path}/a.png", "a", {}, JobSettings("deaot-nano", scales=(1.0, 1.3))
        ),
        BatchJob(
            f"{tmp_path}/b.mp4", f"{tmp_path}/b.png", "bee", {}, JobSettings("deaot-nano", max_size=320)
        ),
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "video,mask\na.mp4,a.png\nb.mp4,\n", "a.csv, line 3: job 'b' has no mask"),
        ("a.csv", "video,mask\na.mp4,a.png,3\n", "a.csv, line 2: it has more values"),
        ("a.csv", "video,mask,sise\na.mp4,a.png,3\n", "a.csv, line 2: there is no column 'sise'"),
        ("a.jsonl", '{"video": "a.mp4", "mask": "a.png"}\n{"vid\n', "a.jsonl, line 2: it is not JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl, line 1: it holds [1]; expected an object"),
        ("a.jsonl", "\n", "there is no job; expected a folder of videos with masks beside them"),
        ("a.txt", "x", "a.txt is neither; expected a folder"),
    ],
)
def test_a_list_that_cannot_be_read(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as error:
        check_jobs(open_jobs(tmp_path / name, OUT, SETTINGS))
    assert words in str(error.value)


def test_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"video,mask\n\xff.mp4,a.png\n")
    with pytest.raises(DataError, match=r"a\.csv is not text in UTF-8"):
        check_jobs(open_jobs(tmp_path / "a.csv", OUT, SETTINGS))
    with pytest.raises(DataError, match="missing does not exist; expected a folder of videos"):
        open_jobs(tmp_path / "missing", OUT, SETTINGS)


def test_nothing_in_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "lonely.mp4")
    with pytest.raises(
        DataError, match=r"there is no job \(lonely.mp4: there is no mask lonely.png beside it\)"
    ):
        check_jobs(open_jobs(tmp_path, OUT, SETTINGS))


def test_two_jobs_with_one_output() -> None:
    jobs = [
        BatchJob("a.mp4", "a.png", "dog"),
        BatchJob("b.mp4", "b.png", "cat"),
        BatchJob("c.mp4", "c.png", "Dog"),
    ]
    with pytest.raises(DataError, match="jobs 1 and 3 have the same output, 'Dog'"):
        check_jobs(jobs)
    with pytest.raises(DataError, match="an iterator, which can be read only once"):
        open_jobs(iter(jobs), OUT, SETTINGS)
