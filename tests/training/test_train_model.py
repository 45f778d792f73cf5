"""``limpet.train``: from data on disk to a folder with weights, and what it refuses before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from networks import frames, mask_of

import limpet
from limpet.core.errors import DataError, ModelError, OutputError
from limpet.data import ClipConfig
from limpet.training.model_soup import average_weights
from limpet.training.train_model import TrainResult, make_run_folder, root_and_split

from .tiny import make_stills, tiny_run


def test_a_run_leaves_weights_that_load(tmp_path: Path) -> None:
    make_stills(tmp_path / "stills")
    (tmp_path / "stills/images/torn.png").write_bytes(b"torn")
    told: list[str] = []
    config = tiny_run(steps=1, model="deaot-nano")
    result = limpet.train(
        tmp_path / "run", config, stills=tmp_path / "stills", device="cpu", on_notices=told.extend
    )
    assert isinstance(result, TrainResult) and result.folder == tmp_path / "run"
    assert result.sha256 == limpet.load(weights=result.weights, device="cpu").weights_sha256
    assert len(told) == 1 and told[0].startswith("skipped torn.png: ")
    with pytest.raises(DataError, match=r"holds a run already; continue it with resume=True, or choose"):
        limpet.train(tmp_path / "run", config, stills=tmp_path / "stills")
    with pytest.raises(DataError, match=r"model was 'deaot-nano', is now 'deaot-t'"):
        limpet.train(tmp_path / "run", tiny_run(steps=1), stills=tmp_path / "stills", resume=True)
    again = limpet.train(
        tmp_path / "run", tiny_run(steps=1), stills=tmp_path / "stills", resume=True, given=(), device="cpu"
    )
    assert again.sha256 == result.sha256, "what was not chosen on purpose is that of the run"


def test_a_student_of_mobilevos_trains_by_the_recipe_of_stcn(tmp_path: Path) -> None:
    make_stills(tmp_path / "stills")
    config = tiny_run(
        steps=12, model="mobilevos-mobilenet-v2-small", clips=ClipConfig(frames=3, size=65, batch=1, max_objects=2),
        teacher_forcing_until=0.0, aux_loss_until=0.0, mask_loss="ce", train_norms=True, save_every=0,
        learning_rate=1e-4, min_learning_rate=1e-5, frozen_stages=0, workers=0,
    )  # fmt: skip
    result = limpet.train(tmp_path / "run", config, stills=tmp_path / "stills", device="cpu")
    losses = [json.loads(line)["loss"] for line in (result.folder / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 12
    assert sum(losses[-4:]) < sum(losses[:4])
    tracker = limpet.load(weights=result.weights, device="cpu", precision="fp32")
    first, second = frames(2, 64, 96)
    _, state = tracker.step(second, tracker.start(first, mask_of(3, 200, height=64, width=96)))
    assert set(state.confidence) == {3, 200}


def test_what_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"nothing to train on; give stills='DIR', videos='ROOT:SPLIT', or both"
    ):
        limpet.train(tmp_path / "run")
    with pytest.raises(DataError, match=r"no checkpoint in .* to resume from; start without resume=True"):
        limpet.train(tmp_path / "run", stills="x", resume=True)
    with pytest.raises(DataError, match=r"'DAVIS' names no split; expected ROOT:SPLIT"):
        limpet.train(tmp_path / "run", videos=["DAVIS"])
    assert not (tmp_path / "run").exists()


def test_addresses_of_data_sets() -> None:
    assert root_and_split("a:b/DAVIS:2017/train") == (Path("a:b/DAVIS"), "2017/train")
    for text in ("DAVIS", ":train", "DAVIS:"):
        with pytest.raises(DataError, match="names no split"):
            root_and_split(text)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a part of the path is a file"):
        make_run_folder(tmp_path / "file/run")


def test_a_model_that_follows_motion_is_trained_and_remembers_its_flow(tmp_path: Path) -> None:
    flow = "match"
    make_stills(tmp_path / "stills")
    config = tiny_run(model="devos-t", flow=flow, steps=2, mask_loss="ce_dice", workers=0)
    result = limpet.train(tmp_path / "run", config, stills=tmp_path / "stills", device="cpu")
    tracker = limpet.load(weights=result.weights, device="cpu")
    assert tracker.flow.name == flow
    assert limpet.load(weights=result.weights, device="cpu", flow="none").flow.name == "none"
    assert average_weights([result.weights, tmp_path / "run"]).facts["flow"] == flow


def test_a_model_without_flow_refuses_a_source(tmp_path: Path) -> None:
    make_stills(tmp_path / "stills")
    with pytest.raises(ModelError, match="reads no optical flow; leave out flow"):
        limpet.train(tmp_path / "run", tiny_run(flow="dis"), stills=tmp_path / "stills", device="cpu")
