"""Optical flow along a tracked video, for models that read it: what a state keeps of a frame, and what is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.errors import ModelError, Option
from limpet.core.flow import FlowFunction, FlowSource, find_flow, flow_between
from limpet.core.tracker_protocol import FlowName
from limpet.models.base import Features, ModelConfig
from limpet.state import TrackerState


class FrameFlow:
    """Where a tracker's flow comes from.

    Args:
        config: of the model. flow: another source than its own: a name or a function; None takes that of the model.

    Attributes:
        config: of the model, with this source.
        name: of the source; None for models that read no flow.

    Raises:
        ModelError: no such source, or a model that reads no flow.
    """

    def __init__(self, config: ModelConfig, flow: FlowName | FlowFunction | None = None) -> None:
        if flow is not None and config.flow is None:
            raise ModelError("this model reads no optical flow; leave out ", Option("flow"))
        wanted = config.flow if flow is None else flow
        self._source: FlowSource | None = None if wanted is None else find_flow(wanted)
        self.config, self.name = config, None if wanted is None else str(wanted)
        if self._source is not None:
            self.name = self._source.name
            self.config = replace(config, flow="dis")  # type: ignore[call-arg]
        elif wanted is not None:
            self.config = replace(config, flow=wanted)  # type: ignore[call-arg]

    def begin(self, state: TrackerState, frame: NDArray[np.uint8]) -> TrackerState:
        """The state after the first frame, with what has to be kept of it."""
        if self._source is None:
            return state
        return replace(state, seen=self._view(self._source, frame, state))

    def follow(
        self, features: Features, frame: NDArray[np.uint8], state: TrackerState
    ) -> tuple[Features, TrackerState]:
        """The features of the next frame with flow, and the state with what has to be kept of that frame."""
        source = self._source
        if source is None:
            return features, state
        view = self._view(source, frame, state)
        if state.seen is None or state.seen.shape != view.shape:
            planes = None
            problem: str | None = f"the state did not keep the frame before for the flow of {source.name}"
        else:
            before, now = state.seen.cpu().numpy(), view.cpu().numpy()
            found, problem = flow_between(source, before, now, state.network_size)
            planes = torch.from_numpy(found).unsqueeze(0).to(view.device)
        if problem is not None:
            first = state.flow_problem or f"frame {state.frame_index + 1}: {problem}"
            state = replace(state, flow_zeroed=state.flow_zeroed + 1, flow_problem=first)
        return features._replace(flow=planes), replace(state, seen=view)

    def _view(self, source: FlowSource, frame: NDArray[np.uint8], state: TrackerState) -> Tensor:
        return torch.from_numpy(source.view(frame, state.network_size)).to(state.mask.device)
