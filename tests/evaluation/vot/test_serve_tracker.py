"""A tracker behind the protocol: which mask is whose, absent objects, and what goes wrong."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import LimpetError, MaskError
from limpet.evaluation.vot.regions import ABSENT, decode_region, encode_region
from limpet.evaluation.vot.serve_tracker import TrackedObjects, serve, warm_up
from limpet.evaluation.vot.trax_connection import TraxConnection, parse_message

from .trackers import Fixed

SIZE = (20, 30)
FRAME = np.full((*SIZE, 3), 90, np.uint8)


def plane(top: int, left: int, height: int = 5, width: int = 6) -> np.ndarray:
    found = np.zeros(SIZE, bool)
    found[top : top + height, left : left + width] = True
    return found


def region(mask: np.ndarray) -> str:
    return f"mask:{encode_region(mask)}"


def decoded(regions: list[str]) -> list[np.ndarray]:
    return [decode_region(f"m{text}").on_image(SIZE) for text in regions]


def test_objects_keep_the_order_in_which_they_were_given() -> None:
    planes = [plane(12, 2), plane(1, 20), plane(1, 2)]
    run = TrackedObjects(Fixed(shift=2), FRAME, [region(each) for each in planes])  # type: ignore[arg-type]
    assert all(map(np.array_equal, decoded(run.regions()), planes))
    run.follow(FRAME)
    assert all(map(np.array_equal, decoded(run.regions()), [np.roll(each, 2, axis=1) for each in planes]))


def test_later_objects_are_in_front_and_hidden_ones_are_absent() -> None:
    run = TrackedObjects(
        Fixed(),
        FRAME,
        [region(plane(2, 2)), region(plane(2, 2)), f"mask:{ABSENT}", region(plane(4, 4, 9, 9))],
    )  # type: ignore[arg-type]
    assert run.never_seen == [0, 2]
    run.follow(FRAME)
    first, second, third, fourth = decoded(run.regions())
    assert not first.any() and not third.any()
    assert np.array_equal(second, plane(2, 2) & ~plane(4, 4, 9, 9)) and np.array_equal(
        fourth, plane(4, 4, 9, 9)
    )


def test_without_any_object_there_is_nothing_to_track() -> None:
    run = TrackedObjects(Fixed(), FRAME, [f"mask:{ABSENT}"])  # type: ignore[arg-type]
    run.follow(FRAME)
    assert run.regions() == [ABSENT]


def test_an_uncertain_object_is_reported_as_absent() -> None:
    run = TrackedObjects(Fixed(), FRAME, [region(plane(2, 2))], min_confidence=0.4)  # type: ignore[arg-type]
    run.follow(FRAME)  # the confidence is 1/2, and 1/3 afterwards
    assert run.regions() != [ABSENT]
    run.follow(FRAME)
    assert run.regions() == [ABSENT]


def test_more_objects_than_ids() -> None:
    with pytest.raises(MaskError, match="256 objects, but ids go from 1 to 255"):
        TrackedObjects(Fixed(), FRAME, [region(plane(2, 2))] * 256)  # type: ignore[arg-type]


def session(lines: list[str], tracker: Fixed) -> tuple[list[str], list[str]]:
    said = io.StringIO()
    connection = TraxConnection(io.StringIO("".join(f"@@TRAX:{line}\n" for line in lines)), said)
    try:
        remarks = serve(tracker, connection, "limpet tiny")  # type: ignore[arg-type]
    except LimpetError as error:
        remarks = [str(error)]
    return said.getvalue().splitlines(), remarks


def test_two_runs_in_one_process(tmp_path: Path) -> None:
    Image.fromarray(FRAME).save(tmp_path / "1.png")
    frame = f'frame "file://{tmp_path / "1.png"}"'
    start = [f'initialize "{region(plane(2, 2))}"', f'initialize "mask:{ABSENT}"', frame]
    said, remarks = session([*start, frame, "initialize", *start, "quit"], Fixed())
    assert [parse_message(line)[0] for line in said] == ["hello", *["state"] * 6]
    assert len(remarks) == 2 and "1 of 2 objects have no pixel" in remarks[0]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (['frame "file:///no/such.png"'], "cannot read the frame /no/such.png"),
        (['initialize "1,1,5,5"', 'frame "PNG"'], "region 1 of the first frame is a box or a polygon"),
        (['frame "PNG"'], "before any object"),
    ],
)
def test_the_toolkit_is_told_what_went_wrong(tmp_path: Path, lines: list[str], sentence: str) -> None:
    Image.fromarray(FRAME).save(tmp_path / "1.png")
    said, remarks = session([line.replace("PNG", str(tmp_path / "1.png")) for line in lines], Fixed())
    assert sentence in remarks[0]
    word, arguments = parse_message(said[-1])
    assert word == "quit" and sentence in arguments[0]


def test_warming_up_takes_a_step() -> None:
    seen: list[tuple[int, ...]] = []

    class Watched(Fixed):
        def step(self, frame: np.ndarray, state: object) -> object:  # type: ignore[override]
            seen.append(frame.shape)
            return super().step(frame, state)  # type: ignore[arg-type]

    warm_up(Watched(), (20, 30))  # type: ignore[arg-type]
    assert seen == [(20, 30, 3)]
