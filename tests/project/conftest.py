"""A project over a small video."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.project import Project

from .tiny import make_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip")


@pytest.fixture
def project(tmp_path: Path, video: Path) -> Project:
    return Project.create(tmp_path / "job", video)
