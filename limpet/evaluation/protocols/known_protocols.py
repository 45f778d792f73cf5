"""Every protocol by its name on the command line."""

from __future__ import annotations

from pathlib import Path

from limpet.core.errors import DataError
from limpet.evaluation.protocols.burst import BurstProtocol
from limpet.evaluation.protocols.davis import DavisProtocol
from limpet.evaluation.protocols.evaluation_protocol import EvaluationProtocol, ProtocolOptions
from limpet.evaluation.protocols.lvos import LvosProtocol
from limpet.evaluation.protocols.mose import MoseProtocol
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol

PROTOCOLS: dict[str, type[EvaluationProtocol]] = {
    each.key: each
    for each in (DavisProtocol, YouTubeVosProtocol, MoseProtocol, LvosProtocol, SaVProtocol, BurstProtocol)
}


def open_protocol(
    key: str, root: Path | str, split: str | None = None, options: ProtocolOptions | None = None
) -> EvaluationProtocol:
    """The protocol with this name on a data set.

    Raises:
        DataError: no such protocol, folder or split.
    """
    if key not in PROTOCOLS:
        raise DataError(f"there is no protocol '{key}'; expected one of: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[key](root, split, options)
