"""Shares of data sets, and importance sampling within them, against the formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.data import training_videos
from limpet.data import video_mixture as module
from limpet.data.datasets import SetSampling, VideoSequence, VideoSet
from limpet.data.video_mixture import VideoMixture, importance_of, objects_of, split_sampling

from .conftest import draw_mask, save_pair


def made_up(count: int, name: str = "clip", **sampling: object) -> VideoSet:
    """Videos that are not on disk: their masks cannot be read, so that each counts as one object."""
    places = [Path(f"/nowhere/{name}/{number}.png") for number in range(count)]
    videos = tuple(VideoSequence(f"{name}{n}", (place,), (place,)) for n, place in enumerate(places))
    return VideoSet(Path("/nowhere"), name, videos, sampling=SetSampling(**sampling))  # type: ignore[arg-type]


def crowds(root: Path, counts: tuple[int, ...]) -> VideoSet:
    """One frame per video, with so many objects."""
    videos = []
    for number, count in enumerate(counts):
        boxes = [(10, 4 + 10 * n, 20, 10 + 10 * n) for n in range(count)]
        save_pair(root / f"{number}.jpg", root / f"{number}.png", draw_mask(30, 44, boxes))
        videos.append(VideoSequence(str(number), (root / f"{number}.jpg",), (root / f"{number}.png",)))
    return VideoSet(root, "all", tuple(videos))


def test_importance_is_the_formula_of_the_paper() -> None:
    np.testing.assert_allclose(importance_of([1, 3, 4], 1.0), [1 / 8, 3 / 8, 4 / 8])
    np.testing.assert_allclose(importance_of([1, 3, 4], 2.0), [1 / 26, 9 / 26, 16 / 26])
    np.testing.assert_allclose(importance_of([0, 1], 1.0), [0.5, 0.5], err_msg="an empty first mask is one")


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_chance_of_each_video_is_the_formula_and_each_mask_is_read_once(
    power: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, counts = crowds(tmp_path, (1, 3, 2)), (1, 3, 2)
    read: list[Path] = []
    really = module.read_ids
    monkeypatch.setattr(module, "read_ids", lambda path: read.append(path) or really(path))
    mixture = VideoMixture([videos, videos], importance=power)
    expected = np.array([count**power for count in counts])
    np.testing.assert_allclose(mixture.probabilities(0.3), np.tile(expected / expected.sum() / 2, 2))
    VideoMixture([videos], importance=power)
    assert len(read) == 3, "counts are kept, however often a set is named"
    assert [objects_of(each) for each in videos] == [1, 3, 2]


def test_videos_are_drawn_with_their_chances(tmp_path: Path) -> None:
    mixture = VideoMixture([crowds(tmp_path, (1, 3))], importance=1.0)
    rng = np.random.default_rng(0)
    names = [mixture.draw(rng, 0.0)[0].name for _ in range(3000)]
    assert names.count("1") / 3000 == pytest.approx(0.75, abs=0.03)
    others = [mixture.draw_from(rng, 0).name for _ in range(3000)]
    assert others.count("1") / 3000 == pytest.approx(0.75, abs=0.03)


def test_the_shares_of_devos_at_the_start_and_at_the_end() -> None:
    """60, 3,471 and 1,507 videos in 5 : k : p are 9 / 79 / 12 % with k = 0.75, and 14 / 25 / 61 % with k = 0.15."""
    sets = [
        made_up(60, "davis", repeat=(5.0, 5.0)),
        made_up(3471, "youtube", repeat=(0.75, 0.15)),
        made_up(1507, "mose", repeat=(0.25, 0.85)),
    ]
    mixture = VideoMixture(sets)
    np.testing.assert_allclose(mixture.shares(0.0) * 100, [9, 79, 11], atol=0.6)
    np.testing.assert_allclose(mixture.shares(1.0) * 100, [14, 25, 61], atol=0.6)
    halfway = np.array([5 * 60, 0.45 * 3471, 0.55 * 1507])
    np.testing.assert_allclose(mixture.shares(0.5), halfway / halfway.sum())
    assert mixture.probabilities(0.5).sum() == pytest.approx(1)
    rng = np.random.default_rng(0)
    drawn = np.bincount([mixture.draw(rng, 1.0)[1] for _ in range(1000)], minlength=3)
    np.testing.assert_allclose(drawn / 1000, mixture.shares(1.0), atol=0.05)


def test_a_repeat_is_as_good_as_naming_the_set_so_often(tmp_path: Path) -> None:
    few, many = made_up(2, "few"), made_up(5, "many")
    often = VideoMixture([few, few, few, many]).probabilities(0.0)
    once = VideoMixture([replace(few, sampling=SetSampling(repeat=(3.0, 3.0))), many]).probabilities(0.0)
    np.testing.assert_allclose(once[:2], 3 * often[:2])
    np.testing.assert_allclose(once[2:], often[-5:])


def test_importance_of_one_set_alone(tmp_path: Path) -> None:
    crowded = replace(crowds(tmp_path, (1, 3)), sampling=SetSampling(importance=1.0))
    np.testing.assert_allclose(
        VideoMixture([made_up(2), crowded]).probabilities(0.0), [1 / 4, 1 / 4, 1 / 8, 3 / 8]
    )


def test_without_settings_clips_are_those_of_before(davis_root: Path) -> None:
    """A training that is resumed with a newer version sees the same clips."""
    videos = training_videos(davis_root, "fit")
    drawn = [VideoMixture([videos, videos]).draw(np.random.default_rng(seed), 0.0)[0] for seed in range(20)]
    assert drawn == [
        [*videos, *videos][int(np.random.default_rng(seed).integers(2 * len(videos)))] for seed in range(20)
    ]


def test_no_data_set_left_is_an_error() -> None:
    with pytest.raises(DataError, match=r"every data set has repeat 0 at progress 1.00"):
        VideoMixture([made_up(2, repeat=(1.0, 0.0))]).probabilities(1.0)


def test_settings_stand_behind_the_split() -> None:
    assert split_sampling("DAVIS:2017/train") == ("DAVIS:2017/train", SetSampling())
    assert split_sampling("a,b:train") == ("a,b:train", SetSampling())
    text, sampling = split_sampling("MOSE:train,repeat=0.25-0.85,importance=1,merge=0")
    assert text == "MOSE:train" and sampling == SetSampling((0.25, 0.85), 1.0, 0.0)
    assert split_sampling("DAVIS:train,repeat=5")[1].repeat == (5.0, 5.0)
    for wrong, words in (
        ("A:b,share=2", "'share=2' is not a setting of a data set; expected repeat=5"),
        ("A:b,repeat=", "'repeat=' has no value that fits; expected repeat=5 or repeat=0.75-0.15"),
        ("A:b,repeat=1-2-3", "repeat=1-2-3"),
        ("A:b,merge=2", "'merge=2' has no value that fits"),
        ("A:b,importance=1-2", "expected importance=1"),
    ):
        with pytest.raises(DataError, match=words):
            split_sampling(wrong)
