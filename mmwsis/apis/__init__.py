"""Labelers in Python: weak labels of a few images in, masks out."""

from .inferencer import LabelInferencer
from .results import LabelResult

__all__ = ['LabelInferencer', 'LabelResult']
