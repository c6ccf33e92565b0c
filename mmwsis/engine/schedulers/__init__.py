"""Schedules of hyper-parameters; a config writes them ``type='mmwsis.X'``."""

from .cosine_decay import CosineDecayLR
from .linear_warmup import LinearWarmupLR
from .poly_decay import PolyDecayLR

__all__ = ['CosineDecayLR', 'LinearWarmupLR', 'PolyDecayLR']
