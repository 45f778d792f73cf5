"""The kinds of files that limpet reads, by name."""

from __future__ import annotations

from .kind import Kind
from .mask_kinds import MASKS
from .model_kinds import MODELS
from .request_kinds import REQUESTS
from .results_kinds import RESULTS

KINDS: dict[str, Kind] = {**RESULTS, **MODELS, **MASKS, **REQUESTS}
