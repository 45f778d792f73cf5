"""Weights on the hub: folders of its layout on this computer, its cache, and a hub that is not there. No network."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import limpet
from limpet.core.errors import MissingExtraError, WeightsError
from limpet.models import DeAOT
from limpet.registry import find
from limpet.weights.hub import hub_card, hub_weights, push_to_hub
from limpet.weights.weights_file import Weights, read_weights, write_weights
from limpet.weights.zoo import BUNDLED

MODEL = "deaot-nano"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = DeAOT(find("deaot-t").config())
    write_weights(
        tmp_path / "w.safetensors", Weights("deaot-t", network.state_dict(), {"command": "limpet train | x"})
    )
    return tmp_path / "w.safetensors"


def test_a_folder_there_and_back(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert push_to_hub("hf:./out", weights) == "out"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["model"], config["format"]) == ("deaot-t", "limpet-weights-1")
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: limpet\n") and "| command | limpet train / x |" in card
    tracker = limpet.load("hf:./out", device="cpu")
    assert tracker.name == "deaot-t"
    with pytest.raises(WeightsError, match=r"give either hf:\./out or weights"):
        limpet.load("hf:./out", weights=weights)
    with pytest.raises(WeightsError, match=r"holds no model\.safetensors"):
        limpet.load("hf:./nothing")
    with pytest.raises(MissingExtraError, match=r"pip install 'limpet\[hub\]'"):
        limpet.load("hf:owner/name")


def test_the_card_that_ships(tmp_path: Path) -> None:
    push_to_hub(f"hf:{tmp_path}/out", BUNDLED / f"{MODEL}.safetensors")
    card = (tmp_path / "out" / "README.md").read_text()
    assert (
        "# deaot-nano: for phones and slow processors" in card
        and "](../" not in card
        and "](deaot" not in card
    )
    assert read_weights(tmp_path / "out" / "model.safetensors").model == MODEL
    (tmp_path / "mine.md").write_text("---\nlicense: mit\n---\nMine\n")
    push_to_hub(f"hf:{tmp_path}/out", BUNDLED / f"{MODEL}.safetensors", card=tmp_path / "mine.md")
    assert (tmp_path / "out" / "README.md").read_text() == "---\nlicense: mit\n---\nMine\n"
    assert hub_card("[a](b.md) [c](https://x)", "m").count("](") == 1


@pytest.mark.parametrize(
    "address", ["hf:", "hf:name", "hf:a/b/c", "hf:a/..", "hf:a b/c", "hf:https://x/y", "hf:a/b@../x"]
)
def test_addresses(address: str) -> None:
    with pytest.raises(WeightsError, match="is no address on the hub; expected hf:owner/name"):
        hub_weights(address)


def test_what_is_asked_of_the_hub(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def upload(**facts: Any) -> None:
        asked.append((facts["repo_id"], sorted(path.name for path in Path(facts["folder_path"]).iterdir())))

    def download(repository: str, file: str, revision: str | None) -> str:
        asked.append((repository, file, revision))
        if repository == "owner/none":
            raise OSError("404 Client Error\nmore")
        return str(weights)

    hub = SimpleNamespace(
        create_repo=lambda name, **facts: asked.append((name, facts)),
        upload_folder=upload,
        hf_hub_download=download,
    )
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", hub)
    assert push_to_hub("hf:owner/name", weights, private=True) == "https://huggingface.co/owner/name"
    assert hub_weights("hf:owner/name@v1") == weights
    assert asked == [
        ("owner/name", {"private": True, "exist_ok": True}),
        ("owner/name", ["README.md", "config.json", "model.safetensors"]),
        ("owner/name", "model.safetensors", "v1"),
    ]
    with pytest.raises(
        WeightsError, match="hf:owner/none cannot be loaded from the hub: 404 Client Error; check"
    ):
        hub_weights("hf:owner/none")


def test_the_cache_is_used_and_nothing_else_offline(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    snapshot = tmp_path / "cache" / "models--owner--name" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(weights.read_bytes())
    (tmp_path / "cache" / "models--owner--name" / "refs").mkdir()
    (tmp_path / "cache" / "models--owner--name" / "refs" / "main").write_text("0" * 40)
    assert hub_weights("hf:owner/name") == snapshot / "model.safetensors"
    with pytest.raises(WeightsError, match="cannot be loaded from the hub"):
        hub_weights("hf:owner/other")
