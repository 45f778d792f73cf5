"""The race with stand-in peers: turns, masks, memory, and the page."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from peers import agreement, growth, main, parse_contestant
from peers_page import write_page

from .stand_in_peers import CHECKOUTS, write_checkout

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = ("--sizes", "49x65", "--frames", "8", "--warm-up", "1", "--threads", "1")
OWN = ("model", "util", "inference", "inference_memory_bank", "cutie", "sam2")
REPEATS = """
import numpy as np
class Repeats:
    def __init__(self, settings):
        self.hoard, self.settings = [], settings
    def start(self, frame, mask):
        self.mask = mask
    def step(self, frame):
        self.hoard.append(np.ones(10**6))  # 8 MB a frame
        return self.mask
"""
THREE_STEPS = """
import json, sys
import numpy as np
from peer_adapters import find_adapter
from peer_tools import PeerSettings
folder, *peers = sys.argv[1:]
mask = np.zeros((40, 56), np.uint8)
mask[4:20, 6:22], mask[22:36, 30:50] = 1, 2
frames = np.random.default_rng(0).integers(0, 256, (4, 40, 56, 3), dtype=np.uint8)
found = {}
for name in peers:
    peer = find_adapter(name)(PeerSettings(f"{folder}/{name}", "", "", "cpu", 480, 4, 2, "fp32"))
    if hasattr(peer, "start_video"):
        peer.start_video(frames)
    peer.start(frames[0], mask)
    masks = [peer.step(frame) for frame in frames[1:]]
    assert all(each.shape == mask.shape and each.dtype == np.uint8 for each in masks)
    found[name] = [bool((each == mask).all()) for each in masks]
    sys.path.pop(0)
    for module in [each for each in sys.modules if each.partition(".")[0] in OWN]:
        del sys.modules[module]  # two peers have modules of one name
print(json.dumps(found))
"""


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> dict[str, object]:
    monkeypatch.setattr(sys, "argv", ["peers.py", "--out", str(out), *SMALL, *words])
    main()
    return json.loads((out / "race.json").read_text())  # type: ignore[no-any-return]


def test_a_faithful_peer_has_equal_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = write_checkout(tmp_path, "aot")
    (tmp_path / "own.py").write_text(REPEATS)
    result = run(
        monkeypatch, tmp_path / "race", "--objects", "2",
        "--contestant", "ours=limpet,model=deaot-nano",
        "--contestant", f"official=aot,model=deaott,checkout={checkout}",
        "--contestant", f"hoarder={tmp_path / 'own.py'}:Repeats",
    )  # fmt: skip
    (race,) = result["races"]  # type: ignore[misc]
    ours, official, hoarder = race["rows"]
    assert (race["size"], race["objects"], race["frames"]) == ([49, 65], 2, 8)
    assert official["agreement"]["equal_frames"] == 7 and official["agreement"]["pixels"] == 1.0
    assert hoarder["agreement"]["equal_frames"] < 7 and hoarder["agreement"]["pixels"] < 1.0
    assert hoarder["growth_mb"] > 500 > abs(ours["growth_mb"]), "8 MB a frame, in 100 frames"
    assert ours["ms"] > hoarder["ms"] > 0 and ours["peak_mb"] > hoarder["peak_mb"] > 0
    assert len(ours["memory"]) == 7 and ours["ms_quartile_1"] <= ours["ms"] <= ours["ms_quartile_3"]
    assert ours["about"] == "deaot-nano, cpu, float32, network input 49x65"
    page = (tmp_path / "race/race.md").read_text()
    assert "| 49x65, 2 objects | official |" in page and "7 of 7 |" in page
    assert sorted(path.name for path in (tmp_path / "race").iterdir()) == [
        "agreement.png", "memory.png", "race.json", "race.md", "time.png"
    ]  # fmt: skip
    assert not (checkout / "result").exists(), "what a peer writes goes into a folder of its own"
    for others, told in ((1.5, True), (0.0, False)):
        result["machine"]["cores_used_by_others"] = others  # type: ignore[index]
        write_page(result, tmp_path / "race")
        assert (
            "**Other programs are computing (they used 1.5 cores)" in (tmp_path / "race/race.md").read_text()
        ) is told


def test_adapters_call_the_interface_of_their_peer(tmp_path: Path) -> None:
    peers = sorted(set(CHECKOUTS) - {"aot"})
    for peer in peers:
        write_checkout(tmp_path, peer)
    command = [sys.executable, "-c", f"OWN = {OWN}\n{THREE_STEPS}", str(tmp_path), *peers]
    done = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {peer: [True] * 3 for peer in peers}


def test_agreement_of_masks() -> None:
    one = np.zeros((2, 4, 4), np.uint8)
    one[:, :2] = 1
    other = one.copy()
    other[1, 0] = 2
    found = agreement(one, other)
    assert found["iou"] == [1.0, pytest.approx((0.5 + 0.0) / 2)]
    assert found["equal_frames"] == 1 and found["pixels"] == pytest.approx(28 / 32)
    assert agreement(0 * one, 0 * one)["iou"] == [1.0, 1.0]


def test_growth_is_that_of_the_second_half() -> None:
    assert growth([0, 50, 70, 100, 101, 102, 103, 104]) == pytest.approx(100)
    assert growth([5.0]) == 0


def test_contestants_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = parse_contestant("a=aot,checkout=~/aot,model=deaott")
    assert (found.name, found.adapter, found.model) == ("a", "aot", "deaott")
    assert found.checkout == str(Path.home() / "aot") and found.python == sys.executable
    for text in ("aot", "a=aot,path=x"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected NAME=ADAPTER"):
            parse_contestant(text)
    with pytest.raises(SystemExit, match="two contestants have one name"):
        run(monkeypatch, tmp_path, "--contestant", "a=limpet", "--contestant", "a=aot")
    with pytest.raises(SystemExit, match="leaves nothing to time"):
        run(monkeypatch, tmp_path, "--contestant", "a=limpet", "--frames", "3")


def test_an_unknown_adapter_and_a_missing_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for contestant, sentence in (
        ("a=vision", "there is no adapter 'vision'"),
        (f"a=aot,checkout={tmp_path / 'none'}", "there is no checkout"),
        (f"a=aot,checkout={tmp_path}", "there is no module networks in the checkout"),
        ("a=aot", "add checkout=FOLDER"),
    ):
        with pytest.raises(SystemExit, match="a has ended; its error is above"):
            run(monkeypatch, tmp_path, "--objects", "1", "--contestant", contestant)
        assert sentence in capfd.readouterr().err
