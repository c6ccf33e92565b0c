"""Schedules of hyper-parameters; a config writes them ``type='mmwsis.X'``."""

from .poly_decay import PolyDecayLR

__all__ = ['PolyDecayLR']
