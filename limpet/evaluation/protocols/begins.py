"""In which frame each object of a video begins: the first one whose mask shows it."""

from __future__ import annotations

from collections.abc import Collection

from limpet.core.errors import DataError
from limpet.core.masks import read_ids
from limpet.evaluation.protocols.evaluation_protocol import VideoFiles
from limpet.evaluation.video_task import objects_of


def first_masks(files: VideoFiles, wanted: Collection[int] | None = None) -> dict[int, int]:
    """Id of each object -> index of the first frame whose mask shows it; ids ascending.

    Masks are read in the order of the frames until every wanted object has been found.

    Args:
        wanted: ids of the objects, where a list of the data set names them; others are left out, and so is one that
            no mask shows. None takes all, for which every mask is read.

    Raises:
        DataError: no mask shows any object. MaskError: a mask cannot be read.
    """
    found: dict[int, int] = {}
    for index in sorted(files.masks):
        for number in objects_of(read_ids(files.masks[index])):
            if wanted is None or number in wanted:
                found.setdefault(number, index)
        if wanted is not None and len(found) == len(wanted):
            break
    if not found:
        raise DataError(f"video '{files.video.name}': no mask in {files.video.masks} shows an object")
    return dict(sorted(found.items()))
