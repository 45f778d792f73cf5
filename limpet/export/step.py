"""The graphs that are exported are those of limpet/models/fixed.py."""

from limpet.models.fixed import BeginGraph, FixedConfig, FixedState, StepGraph, soft_ious

__all__ = ["BeginGraph", "FixedConfig", "FixedState", "StepGraph", "soft_ious"]
