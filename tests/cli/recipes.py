"""Training commands as people wrote them down, and small stand-ins for the data that they name."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from data.conftest import draw_mask, save_pair

from limpet.cli.options import RENAMED_OPTIONS
from limpet.weights.zoo import BUNDLED

PLACES = {
    "--stills": "STILLS",
    "--video": "DAVIS:2017/train",
    "--videos": "DAVIS:2017/train",
    "--score": "DAVIS:2017/val",
}
FILES = ("--from", "--encoder", "--teacher-weights")
DROPPED = {"--resume": 0, "--cache": 1, "--out": 1, "--threads": 1, "--score-every": 1, "--save-every": 1}
STEPS = 2
SMALL = [
    "--steps",
    str(STEPS),
    "--batch",
    "1",
    "--frames",
    "2",
    "--size",
    "65",
    "--device",
    "cpu",
    "--processes",
    "1",
]


def commands_of(page: Path, *names: str) -> list[list[str]]:
    """The words of all ``limpet <name> …`` in the indented blocks of a page, ``limpet`` left out."""
    lines = re.sub(r"\\\n\s*", "", page.read_text()).splitlines()
    found = [shlex.split(line) for line in lines if line.startswith("    limpet ")]
    return [words[1:] for words in found if words[1] in names]


def of_a_file(command: str, stand_in: Path, run: Path) -> list[str]:
    """The command in a weights file's header, with its data replaced by stand-ins.

    A file that the repository does not have (a run before it) becomes ``stand_in``; the teacher's weights were in
    ``release/`` once. The run's folder is ``run``.
    """
    words, result = shlex.split(command.split(" (")[0])[1:], []
    while words:
        word = words.pop(0)
        word = RENAMED_OPTIONS.get(word, word)
        if word in DROPPED:
            del words[: DROPPED[word]]
        elif word in PLACES:
            words.pop(0)
            result += [word, PLACES[word]]
        elif word in FILES:
            known = BUNDLED / Path(file := words.pop(0)).name
            is_bundled = re.search(r"(?:^|/)(?:weights/bundled|release)/[^/]+$", file) and known.is_file()
            result += [word, str(known if is_bundled else stand_in)]
        else:
            result.append(word)
    return [*result, "--out", str(run)]


def dry(words: list[str]) -> list[str]:
    """The command with STEPS steps on small clips; of an option that comes twice the last holds."""
    small = [*SMALL, *(("--label-size", "90") if words[0] == "distill" else ())]
    return [*words, *small, "--threads", "1"]


def lay_out(folder: Path) -> None:
    """STILLS, DAVIS, YOUTUBE and MOSE in ``folder``: photos and videos of moving boxes in the official layouts."""
    for number in range(3):
        mask = draw_mask(80, 96, [(10, 8 + number, 60, 40), (20, 50, 70, 86)])
        save_pair(folder / f"STILLS/images/{number}.jpg", folder / f"STILLS/masks/{number}.png", mask)
    davis, train, mose = folder / "DAVIS", folder / "YOUTUBE/train", folder / "MOSE/train"
    for t in range(15):
        one = draw_mask(90, 160, [(20, 20 + 3 * t, 70, 60 + 3 * t)])
        two = draw_mask(90, 160, [(10, 30 - 2 * t, 80, 78 - 2 * t), (10, 84 + 2 * t, 80, 124 + 2 * t)])
        for name, mask in (("one", one), ("two", two)):
            places = [root / "480p" / name for root in (davis / "JPEGImages", davis / "Annotations")]
            save_pair(places[0] / f"{t:05d}.jpg", places[1] / f"{t:05d}.png", mask)
        places = [root / "0a1b2c" for root in (train / "JPEGImages", train / "Annotations")]
        save_pair(places[0] / f"{5 * t:05d}.jpg", places[1] / f"{5 * t:05d}.png", two)
        places = [root / "a338c8aa" for root in (mose / "JPEGImages", mose / "Annotations")]
        save_pair(places[0] / f"{t:05d}.jpg", places[1] / f"{t:05d}.png", two)
    (davis / "ImageSets/2017").mkdir(parents=True)
    for split, names in (("train", "one\ntwo\n"), ("val", "one\n")):
        (davis / f"ImageSets/2017/{split}.txt").write_text(names)
    boxes = {str(i): {"category": "box", "frames": [f"{5 * t:05d}" for t in range(15)]} for i in (1, 2)}
    (train / "meta.json").write_text(json.dumps({"videos": {"0a1b2c": {"objects": boxes}}}))
