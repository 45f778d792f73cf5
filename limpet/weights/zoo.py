"""Where weights are found: in a file that the user names, in the package, or published by the official code.

Nothing is downloaded; ``official_file`` only gives the name of the file to look for.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from limpet.core.errors import Option, WeightsError

AOT_ZOO = "https://github.com/yoxu515/aot-benchmark/blob/main/MODEL_ZOO.md"
STCN_RELEASES = "https://github.com/hkchengrex/STCN/releases"
OFFICIAL_NAMES = {
    "deaot-t": "DeAOTT",
    "deaot-s": "DeAOTS",
    "deaot-b": "DeAOTB",
    "deaot-l": "DeAOTL",
    "r50-deaot-l": "R50_DeAOTL",
    "swin-b-deaot-l": "SwinB_DeAOTL",
    "aot-t": "AOTT",
    "aot-s": "AOTS",
    "aot-b": "AOTB",
    "aot-l": "AOTL",
    "r50-aot-l": "R50_AOTL",
    "swin-b-aot-l": "SwinB_AOTL",
}


def official_file(model: str) -> str | None:
    """The file of the weights trained on photos, YouTube-VOS and DAVIS; None if none are published for ``model``."""
    if model == "stcn":
        return "stcn.pth"
    name = OFFICIAL_NAMES.get(model)
    return None if name is None else f"{name}_PRE_YTB_DAV.pth"


def official_page(model: str) -> str:
    """The page that has the official file of ``model``."""
    return STCN_RELEASES if model == "stcn" else AOT_ZOO


BUNDLED = Path(__file__).parent / "bundled"


def bundled_weights(model: str) -> Path | None:
    """The file that ships for ``model``, or None."""
    path = BUNDLED / f"{model}.safetensors"
    return path if path.is_file() else None


HUB_PREFIX = "hf:"


def is_hub_address(name: str | None) -> bool:
    """Whether a model's name is an address on the Hugging Face hub; see ``limpet.weights.hub``."""
    return name is not None and name.startswith(HUB_PREFIX)


def find_weights(model: str, path: Path | str | None, argument: str = "weights") -> Path:
    """``path`` when the user named one with ``argument``, else the bundled file.

    Raises:
        WeightsError: there is neither.
    """
    if path is not None:
        return Path(path)
    found = bundled_weights(model)
    if found is None:
        ships = ", ".join(sorted(file.stem for file in BUNDLED.glob("*.safetensors"))) or "none"
        official = official_file(model)
        convert = f"convert the official {official} ({official_page(model)}) with limpet weights convert"
        raise WeightsError(
            f"no weights for {model!r} ship with limpet (those that do: {ships}); train some"
            f"{f', or {convert},' if official else ''} and pass ",
            Option(argument, "FILE"),
        )
    return found


def check_model(path: Path | str, held: str, name: str) -> None:
    """Raises WeightsError unless the weights in ``path``, which are of the model ``held``, are those of ``name``."""
    if held != name:
        raise WeightsError(
            f"{path} holds weights of {held!r}, not of {name!r}; pass ", Option("name", held, "model")
        )


def model_in(path: Path) -> str:
    """The model whose weights a file holds; only its header is read. Raises WeightsError if it is no such file."""
    try:
        with safe_open(path, framework="numpy") as file:
            facts = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path} cannot be read as a weights file ({error}); expected safetensors"
        ) from error
    if "model" not in facts:
        raise WeightsError(
            f"{path} is not a weights file of limpet; convert official checkpoints with: limpet weights convert"
        )
    return str(facts["model"])
