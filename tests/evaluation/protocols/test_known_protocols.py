from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.protocols.known_protocols import PROTOCOLS, open_protocol


def test_every_rule_cites_its_source() -> None:
    assert set(PROTOCOLS) == {"davis", "youtube-vos", "mose", "lvos", "sa-v", "burst"}
    for protocol in PROTOCOLS.values():
        assert protocol.rules and protocol.layout and protocol.default_split
        for rule in protocol.rules:
            assert "http" in rule.source or "20" in rule.source, rule
        assert protocol.archive is None or (
            "http" in protocol.archive.server and "http" in protocol.archive.source
        )


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no protocol 'coco'; expected one of: davis, youtube-vos"):
        open_protocol("coco", tmp_path)
    with pytest.raises(DataError, match="gone is not a folder"):
        open_protocol("mose", tmp_path / "gone")
