"""Making, merging and checking the artifacts that labelers make."""

from .generate import GenerationOptions, generate_pseudo_labels
from .labeler import Labeler
from .plan import Shard

__all__ = ['GenerationOptions', 'Labeler', 'Shard', 'generate_pseudo_labels']
