"""The archive that a benchmark's server takes: saved masks in its layout."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol
from limpet.evaluation.saved_masks import answer_files

_DATE = (1980, 1, 1, 0, 0, 0)
"""Equal masks give equal archives."""


def write_submission(protocol: EvaluationProtocol, masks: Path, path: Path) -> int:
    """Write an archive of the masks that the protocol asks for, and of nothing else.

    Args:
        masks: folder of the saved masks, ``VIDEO/FRAME.png``.
        path: the archive, a zip file.

    Returns:
        The number of masks in it.

    Raises:
        DataError: the benchmark has no server, or a mask is missing. OutputError: it cannot be written.
    """
    if protocol.archive is None:
        raise DataError(f"{protocol.title} has no server that takes masks: its labels are public")
    count = 0
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,  # PNG files are compressed already
    ):
        for name in protocol.names():
            task = protocol.task(name)
            for index in task.answers:
                for file in answer_files(masks, task, index).values():
                    if not file.is_file():
                        raise DataError(f"the mask {file} is missing; run the evaluation to its end first")
                    inside = PurePosixPath(protocol.archive.prefix, file.relative_to(masks).as_posix())
                    archive.writestr(zipfile.ZipInfo(str(inside), _DATE), file.read_bytes())
                    count += 1
    return count
