"""Weights on the Hugging Face hub: ``limpet.load("hf:owner/name")``, and the way there. safetensors only.

An address is ``hf:owner/name``, with ``@revision`` if a certain one is meant. ``hf:./folder`` and ``hf:/folder`` name a
folder of the same layout on this computer, for which the package huggingface_hub is not needed. The network is used for
no other names, and what was downloaded before is taken from huggingface_hub's own cache.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from limpet.core.errors import MissingExtraError, WeightsError
from limpet.core.files import atomic_path, output_error
from limpet.core.provenance import VERSION
from limpet.weights.weights_file import FORMAT, read_weights, sha256
from limpet.weights.zoo import BUNDLED, HUB_PREFIX

FILE, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
_REPOSITORY = re.compile(r"([\w][\w.-]{0,95}/[\w][\w.-]{0,95})(?:@([\w][\w./-]{0,200}))?")
_EXPECTED = "expected hf:owner/name, hf:owner/name@revision, or hf:./folder"
_LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:)[^)]*\)")


def hub_weights(address: str) -> Path:
    """The weights file that ``address`` names; it is downloaded if it is not in the cache.

    Raises:
        WeightsError: there is no such repository or file, or it cannot be reached.
        MissingExtraError: huggingface_hub is not installed.
    """
    folder, repository, revision = _parse(address)
    if folder is not None:
        if not (folder / FILE).is_file():
            raise WeightsError(
                f"{folder} holds no {FILE}; expected a folder as limpet weights push writes it"
            )
        return folder / FILE
    hub = _hub()
    try:
        return Path(hub.hf_hub_download(repository, FILE, revision=revision))
    except Exception as error:  # the package's own errors, those of its HTTP client, and OSError
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise WeightsError(
            f"{address} cannot be loaded from the hub: {reason}; check the name, the network, and for private "
            "repositories your login (hf auth login)"
        ) from error


def push_to_hub(
    address: str,
    weights: Path | str,
    *,
    card: Path | str | None = None,
    private: bool = False,
    message: str = "Upload weights for limpet",
) -> str:
    """Put weights on the hub, with a configuration and a model card, or into a local folder.

    Args:
        address: ``hf:owner/name``, a repository that is made if necessary; or ``hf:./folder``.
        weights: a limpet weights file.
        card: a model card in Markdown; None takes the one that ships for these weights, or a short one from the facts
            in the file.
        private: make the repository private if it is new.

    Returns:
        The address of the page, or the path of the folder.

    Raises:
        WeightsError: the weights are not limpet's, or the hub refuses them. OutputError: the folder cannot be written.
        MissingExtraError: huggingface_hub is not installed.
    """
    folder, repository, revision = _parse(address)
    if folder is not None:
        write_hub_folder(folder, Path(weights), None if card is None else Path(card))
        return str(folder)
    hub = _hub()
    with tempfile.TemporaryDirectory() as temporary:
        write_hub_folder(Path(temporary), Path(weights), None if card is None else Path(card))
        try:
            hub.create_repo(repository, private=private, exist_ok=True)
            hub.upload_folder(
                repo_id=repository, folder_path=temporary, commit_message=message, revision=revision
            )
        except Exception as error:
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            raise WeightsError(
                f"{address} cannot be written: {reason}; log in with: hf auth login"
            ) from error
    return f"https://huggingface.co/{repository}"


def write_hub_folder(folder: Path, weights: Path, card: Path | None = None) -> None:
    """Write model.safetensors, config.json and README.md, as they lie in a repository of the hub.

    Raises:
        WeightsError: the weights are not limpet's. OutputError: the folder cannot be written.
    """
    content = read_weights(weights)  # checks them
    config = {
        "library_name": "limpet", "limpet_version": VERSION, "format": FORMAT, "model": content.model,
        "weights_sha256": sha256(weights),
    }  # fmt: skip
    try:
        card = card or _bundled_card(weights)
        text = "" if card is None else card.read_text("utf-8")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    text = text or _short_card(content.model, content.facts)
    with atomic_path(folder / FILE) as temporary:
        temporary.write_bytes(weights.read_bytes())
    for name, body in ((CONFIG, json.dumps(config, indent=2) + "\n"), (CARD, hub_card(text, content.model))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(body, "utf-8")


def hub_card(text: str, model: str) -> str:
    """A model card of ours as the hub wants it: with its fields in front, and without links to files beside it."""
    if text.startswith("---"):
        return text
    front = [
        "---", "library_name: limpet", "license: other", "pipeline_tag: image-segmentation", "tags:",
        "- video-object-segmentation", "- mask-propagation", f"- {model}", "---",
    ]  # fmt: skip
    use = [
        "", "## Use", "", "```python", "import limpet", "", 'tracker = limpet.load("hf:OWNER/NAME")  # this one',
        "state = tracker.start(frame, mask)", "mask, state = tracker.step(next_frame, state)", "```", "",
    ]  # fmt: skip
    return "\n".join([*front, "", _LINK.sub(r"\1", text).rstrip(), *use])


def _short_card(model: str, facts: dict[str, str]) -> str:
    rows = [f"| {name} | {str(value)[:200].replace('|', '/')} |" for name, value in facts.items()]
    head = [
        f"# {model}",
        "",
        f"Weights of limpet's model `{model}` for semi-supervised video object segmentation.",
    ]
    return "\n".join([*head, *(["", "| | |", "|---|---|", *rows] if rows else [])])


def _bundled_card(weights: Path) -> Path | None:
    """The card beside the weights, if they are those that ship."""
    card = weights.with_suffix(".md")
    return card if weights.resolve().parent == BUNDLED.resolve() and card.is_file() else None


def _parse(address: str) -> tuple[Path | None, str, str | None]:
    """A folder, or a repository and its revision."""
    name = address.removeprefix(HUB_PREFIX)
    if name.startswith(("./", "../", "/", "~")) or name in (".", ".."):
        return Path(name).expanduser(), "", None
    match = _REPOSITORY.fullmatch(name)
    if match is None or ".." in name:
        raise WeightsError(f"{address!r} is no address on the hub; {_EXPECTED}")
    return None, match[1], match[2]


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError("the Hugging Face hub", "hub", "huggingface_hub") from error
    return huggingface_hub
