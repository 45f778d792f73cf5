from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.data.layouts import VideoFolders
from limpet.evaluation.protocols.begins import first_masks
from limpet.evaluation.protocols.evaluation_protocol import VideoFiles, files_of

from ..tiny import LATE, make_sequence


@pytest.fixture
def files(tmp_path: Path) -> VideoFiles:
    make_sequence(tmp_path, "late", LATE)
    return files_of(
        VideoFolders("late", tmp_path / "JPEGImages/480p/late", tmp_path / "Annotations/480p/late")
    )


def test_first_masks(files: VideoFiles) -> None:
    assert first_masks(files) == {2: 0, 5: 2}
    assert first_masks(files, {5}) == {5: 2}


def test_no_mask_is_read_after_the_last_object_was_found(files: VideoFiles) -> None:
    files.masks[3].write_bytes(b"damaged")
    assert first_masks(files, {2, 5}) == {2: 0, 5: 2}


def test_an_object_that_no_mask_shows_is_left_out(files: VideoFiles) -> None:
    assert first_masks(files, {2, 6}) == {2: 0}
    with pytest.raises(DataError, match=r"video 'late': no mask in .* shows an object"):
        first_masks(files, {6})
