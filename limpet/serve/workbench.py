"""What is open on the page: the project, its frames and its timeline; one at a time, for all tabs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import limpet
from limpet.core.errors import VideoError
from limpet.project import Project
from limpet.project.folder import is_project
from limpet.project.snapshot import OnPage
from limpet.project.video_reference import fingerprint
from limpet.segment import Livewire, Segmenter
from limpet.serve.background import Background, worker_command
from limpet.serve.downloads import exports
from limpet.serve.event_hub import EventHub
from limpet.serve.frame_server import FrameServer
from limpet.serve.palette import object_colors
from limpet.serve.request_fields import RequestError
from limpet.serve.served_project import ServedProject
from limpet.serve.timeline import Timeline
from limpet.weights.zoo import BUNDLED

T = TypeVar("T")
_EDITS = 200
OTHER_PROJECT = 412
"""The status of an answer to an edit of a project that is not the one that is open."""
NO_CLICKS = "there is no model for clicks here; box, livewire and brush work without one"
_ASSUMED_RATE = 24.0


@dataclass(frozen=True)
class ServeConfig:
    """Settings of a server.

    roots: folders from which the page may open videos and projects.
    model, weights, device: of the tracker; see ``limpet.load``.
    """

    roots: tuple[Path, ...] = ()
    model: str = "deaot-t-deformable"
    weights: Path | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Opened:
    """An open project. video_id: names its video in addresses."""

    served: ServedProject
    frames: FrameServer
    timeline: Timeline

    video_id: str

    def length(self, project: Project) -> int:
        """How many frames there are, as certain as is known."""
        return max(self.frames.counted or project.length, project.length if not project.frame_count else 0)


class Workbench:
    """Everything that the routes work on.

    Args:
        command: starts a process that propagates; None: ``limpet.serve.worker``.
        segmenter: makes masks of clicks; None: the page offers no clicks.

    Attributes:
        hub: tells pages what happens.
        background: propagations and exports.
    """

    def __init__(
        self, config: ServeConfig, command: Sequence[str] | None = None, segmenter: Segmenter | None = None
    ) -> None:
        self.config = config
        self.segmenter = segmenter
        self.livewire = Livewire()
        self.hub = EventHub()
        self.background = Background(
            command or worker_command(config.model, config.weights, config.device), self.hub, self.refresh
        )
        self._opened: Opened | None = None
        self._lock = threading.RLock()

    @property
    def opened(self) -> Opened:
        """What is open. Raises RequestError if nothing is."""
        found = self._opened
        if found is None:
            raise RequestError("no project is open; open a video or a project first", 409)
        return found

    def open(self, path: Path, folder: Path | None = None) -> str:
        """Open a project, or a video with its project.

        Args:
            path: a project folder, or a video.
            folder: of the video's project; None: ``NAME-project`` next to the video. It is made if there is none.

        Returns:
            A sentence.

        Raises:
            LimpetError: it cannot be opened; what was open stays open.
        """
        with self._lock:
            timeline = Timeline()
            project = (
                Project.open(path, timeline.note_page)
                if is_project(path)
                else project_of(path, folder, timeline.note_page)
            )
            self.close()
            served = ServedProject(
                project, lambda revision: self.hub.publish("change", {"revision": revision})
            )
            self._opened = Opened(
                served, FrameServer(project.open_video), timeline, project.video.sha256_head[:16]
            )
            self.hub.publish("change", {"revision": served.revision})
        return f"{project.path} is open"

    def open_allowed(self, path: str, folder: str | None) -> str:
        """``open`` for a page, which may name nothing outside of the roots. Raises RequestError for anything else."""
        message = self.open(self._allowed(path), None if folder is None else self._allowed(folder))
        self.background.prepare(self.config.model)
        return message

    @contextmanager
    def while_open(self, project: Path) -> Iterator[None]:
        """No other project is opened meanwhile. Raises RequestError if ``project`` is not the one that is open."""
        with self._lock:
            now = self.opened.served.path
            if now != project:
                sentence = f"{now.name} is open now; nothing of it was changed by an edit of {project.name}"
                raise RequestError(sentence, OTHER_PROJECT)
            yield

    def edit(self, change: Callable[[Project], T]) -> T:
        """Make an edit of the open project. A propagation that runs is stopped before, and what it did is kept."""
        with self._lock:
            served = self.opened.served
            stopped = self.background.stop()
            result = served.edit(change)
        if stopped is not None:
            self.hub.publish("notice", {"text": f"the propagation was stopped for this edit; {stopped}"})
        return result

    def propagate(
        self, mode: str, start: int | None, stop: int | None, objects: list[int] | None, model: str
    ) -> str:
        """Start a propagation and return its id; see ``limpet.project.Project``. Raises RequestError if one runs."""
        if model not in models_with_weights(self.config):
            raise RequestError(f"there is no model {model!r} with weights; see the list of models")
        what = (
            mode if start is None else f"{mode} from frame {start}" + ("" if stop is None else f" to {stop}")
        )
        with self._lock:
            served = self.opened.served
            if not served.objects():
                raise RequestError("the project has no object to propagate; draw one first")
            return self.background.propagate(
                f"propagate {what}", served.revision,
                {"folder": str(served.path), "mode": mode, "start": start, "stop": stop, "objects": objects,
                 "model": model},
            )  # fmt: skip

    def end(self) -> None:
        """Close everything; what is done is kept."""
        self.background.close()
        self.close()

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            self.background.stop()
            if self._opened is not None:
                self._opened.frames.close()
                self._opened = None

    def refresh(self) -> None:
        """Notice what other programs changed."""
        opened = self._opened
        if opened is not None:
            opened.served.refresh()

    def state(self) -> dict[str, Any]:
        """The answer to /api/state."""
        return {
            "project": None if self._opened is None else self._facts(self._opened),
            "folder_browsing": bool(self.config.roots),
            "model": self.config.model,
            "models": models_with_weights(self.config),
            "segmenter": {
                "name": "" if self.segmenter is None else self.segmenter.name,
                "clicks": self.segmenter is not None,
                "note": NO_CLICKS if self.segmenter is None else self.segmenter.note,
            },
            "exports": exports(),
            "version": limpet.__version__,
        }

    def _facts(self, opened: Opened) -> dict[str, Any]:
        opened.frames.opened.wait(5)
        with opened.served.view() as project:
            video, position, edits = project.video, project.position, project.edits
            colors = object_colors(project)
            problems = [*project.problems, *([opened.served.trouble] if opened.served.trouble else [])]
            height, width = video.size
            return {
                "path": str(project.path),
                "name": project.path.resolve().name,
                "video": {
                    "id": opened.video_id,
                    "name": Path(video.path).name,
                    "width": width,
                    "height": height,
                    "frames": opened.length(project) or None,
                    "exact": video.exact or opened.frames.counted is not None,
                    "fps": opened.frames.frame_rate or _ASSUMED_RATE,
                },
                "revision": opened.served.revision,
                "objects": [
                    {"id": i, "name": name, "color": colors[i], "key_frames": list(project.key_frames(i))}
                    for i, name in project.objects.items()
                ],
                "position": position,
                "edits": [
                    {
                        "number": edit.number,
                        "kind": edit.kind,
                        "what": edit.what,
                        "complete": edit.complete,
                        "undone": place >= position,
                    }
                    for place, edit in list(enumerate(edits))[-_EDITS:]
                ],
                "can_undo": f"{edits[position - 1].kind} {edits[position - 1].what}" if position else None,
                "can_redo": f"{edits[position].kind} {edits[position].what}"
                if position < len(edits)
                else None,
                "problems": problems,
                "locked": [list(span) for span in project.snapshot.locked],
                "running": self.background.running,
                "read_only": bool(problems),
            }

    def _allowed(self, text: str) -> Path:
        path = Path(text)
        with suppress(RuntimeError):  # there is nobody of that name, so that it is a file's
            path = path.expanduser()
        try:
            resolved = (self.config.roots[0] / path if self.config.roots else path).resolve()
        except RuntimeError as error:
            raise RequestError(f"{text[:100]} is a link in a circle; name the file itself") from error
        if not any(resolved.is_relative_to(root.resolve()) for root in self.config.roots):
            roots = ", ".join(map(str, self.config.roots)) or "none"
            raise RequestError(
                f"{text} lies outside of the folders that this server may open ({roots}); "
                "start limpet serve with --root FOLDER to allow another one",
                403,
            )
        return resolved


def project_of(video: Path, folder: Path | None = None, on_page: OnPage | None = None) -> Project:
    """The project of a video, which is made if there is none. on_page: see ``Project.open``.

    Raises:
        VideoError: it cannot be read, or the folder is the project of another video. OutputError, ProjectError.
    """
    if not video.exists():
        raise VideoError(f"{video} does not exist; expected a video, a folder of images, or a project")
    folder = folder or video.with_name(f"{video.stem if video.is_file() else video.name}-project")
    if not is_project(folder):
        return Project.create(folder, video)
    project = Project.open(folder, on_page)
    if fingerprint(video) != (project.video.nbytes, project.video.sha256_head):
        raise VideoError(f"{folder} is the project of another video; choose another folder with --project")
    return project


def models_with_weights(config: ServeConfig) -> list[str]:
    """The models that the page can choose, that of the configuration first."""
    bundled = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
    return [config.model, *(name for name in bundled if name != config.model)]
