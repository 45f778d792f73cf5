"""Greedy soups of tiny weights: what is kept, what is left out, and whose folders they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from networks import lively_model
from studies.conftest import make_video

from limpet.core.errors import DataError, WeightsError
from limpet.data import evaluation_videos
from limpet.models import build_model
from limpet.registry import find
from limpet.training.checkpoint import CHECKPOINT, KEPT
from limpet.training.greedy_soup import TasteConfig, find_ingredients, greedy_soup, sequence_scorer
from limpet.training.loop import train
from limpet.weights.weights_file import Weights, read_weights

from .test_model_soup import saved
from .tiny import make_stills, tiny_run


def near(goal: float) -> tuple[list[str], object]:
    """A score that is higher the nearer the weights are to ``goal``, and what was scored."""
    told: list[str] = []

    def score(weights: Weights, what: str) -> float:
        told.append(what)
        return -abs(weights.tensors["a.weight"][0, 0].item() - goal)

    return told, score


def slow_soup(values: list[float], goal: float) -> list[float]:
    """The recipe of the paper, on numbers: the best first, each kept unless the mean gets worse."""
    order = sorted(values, key=lambda value: abs(value - goal))
    kept = order[:1]
    for value in order[1:]:
        mean = sum([*kept, value]) / (len(kept) + 1)
        if abs(mean - goal) <= abs(sum(kept) / len(kept) - goal):
            kept.append(value)
    return kept


@pytest.mark.parametrize("goal", [3.0, 4.1, 100.0])
def test_what_makes_the_mean_better_is_kept(tmp_path: Path, goal: float) -> None:
    values = [1.0, 2.0, 6.0, 4.0, 9.0]
    places = [saved(tmp_path / f"{value:g}.safetensors", value) for value in values]
    told, score = near(goal)
    soup = greedy_soup(places, score)  # type: ignore[arg-type]
    kept = slow_soup(values, goal)
    assert [float(Path(place).stem) for place in soup.kept] == kept
    mean = sum(kept) / len(kept)
    assert soup.weights.tensors["a.weight"][0, 0].item() == pytest.approx(mean)
    assert soup.score == pytest.approx(-abs(mean - goal), abs=1e-6)
    assert soup.score >= max(each.score for each in soup.tasted), "no worse than the best of them"
    assert [each.score for each in soup.tasted] == sorted((each.score for each in soup.tasted), reverse=True)
    assert len(told) == 2 * len(values) - 1 and told[0] == "1 of 5 alone" and told[-1] == "soup with 5 of 5"
    report = soup.as_json()
    assert report["model"] == "deaot-t" and [each["kept"] for each in report["ingredients"]].count(
        True
    ) == len(kept)
    assert soup.weights.facts["soup"].startswith(f"{len(kept)} of 5 weights, greedily chosen: ")


def test_weights_that_do_not_fit_are_told_before_the_work(tmp_path: Path) -> None:
    places = [saved(tmp_path / "1.safetensors", 1.0), saved(tmp_path / "2.safetensors", 2.0, "aot-t")]
    told, score = near(0.0)
    with pytest.raises(WeightsError, match="only weights of one model have a mean"):
        greedy_soup(places, score)  # type: ignore[arg-type]
    assert not told


def test_a_run_gives_the_weights_it_kept_and_its_last(tmp_path: Path) -> None:
    model = lively_model()
    settings = tiny_run(steps=5, keep_every=2, save_every=5, workers=0)
    average = train(
        model, settings, tmp_path / "run", make_stills(tmp_path / "stills"), [], device="cpu", quiet=True
    )
    kept = [tmp_path / "run" / KEPT / f"step-000000{step}.safetensors" for step in (2, 4)]
    assert find_ingredients([tmp_path / "run"]) == [*kept, tmp_path / "run"]
    assert read_weights(kept[0]).facts["steps"] == "2 of 5"
    early, late = (read_weights(path).tensors for path in kept)
    assert any(not torch.equal(early[name], late[name]) for name in late)
    assert any(not torch.equal(late[name], t.half().float()) for name, t in average.state_dict().items())
    settings = tiny_run(steps=4, keep_every=2, save_every=4, workers=0)
    train(
        lively_model(),
        settings,
        tmp_path / "even",
        make_stills(tmp_path / "others"),
        [],
        device="cpu",
        quiet=True,
    )
    assert find_ingredients([tmp_path / "even"]) == [
        tmp_path / "even" / KEPT / "step-0000002.safetensors",
        tmp_path / "even",
    ], "the last ones are there once"
    saved(tmp_path / "run" / "weights.safetensors", 1.0)
    assert find_ingredients([tmp_path / "run", kept[0]]) == [*kept, tmp_path / "run" / "weights.safetensors"]
    assert (tmp_path / "run" / CHECKPOINT).is_file()


def test_what_is_no_run_and_what_is_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"there are no weights in .*empty; expected the folder of a training run"
    ):
        find_ingredients([tmp_path / "empty"])
    one = saved(tmp_path / "1.safetensors", 1.0)
    with pytest.raises(WeightsError, match=r"nothing to choose from in .*name two weights or more"):
        find_ingredients([one, one])


def test_weights_are_scored_by_tracking(tmp_path: Path) -> None:
    make_video(tmp_path / "JPEGImages/480p/one", tmp_path / "Annotations/480p/one")
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/train.txt").write_text("one\n")
    seen: list[tuple[str, str, int]] = []
    score = sequence_scorer(
        list(evaluation_videos(tmp_path, "2017/train")),
        TasteConfig(stride=2, max_frames=3, max_size=64),
        torch.device("cpu"),
        lambda what, sequence, index: seen.append((what, sequence.name, index)),
    )
    weights = Weights("deaot-nano", build_model(find("deaot-nano").config()).state_dict())
    assert 0 <= score(weights, "1 of 1 alone") <= 100
    assert seen == [("1 of 1 alone", "one", index) for index in range(3)]
    with pytest.raises(DataError, match="sequence 'one' has 2 frames to use; at least 3 are needed"):
        sequence_scorer(
            list(evaluation_videos(tmp_path, "2017/train")), TasteConfig(stride=7), torch.device("cpu")
        )
