"""Where weights are found: a file that the user names, or the ones that ship with the package."""

from __future__ import annotations

from pathlib import Path

from limpet.errors import WeightsError

BUNDLED = Path(__file__).parent / "bundled"


def bundled_weights(model: str) -> Path | None:
    """The file that ships for ``model``, or None."""
    path = BUNDLED / f"{model}.safetensors"
    return path if path.is_file() else None


def find_weights(model: str, path: Path | str | None) -> Path:
    """``path`` when the user named one, else the bundled file. Raises WeightsError when there is neither."""
    if path is not None:
        return Path(path)
    found = bundled_weights(model)
    if found is None:
        ships = ", ".join(sorted(file.stem for file in BUNDLED.glob("*.safetensors"))) or "none"
        raise WeightsError(
            f"no weights for {model!r} ship with limpet (those that do: {ships}); "
            f"train some, or convert an official checkpoint, and name them with --weights FILE"
        )
    return found
