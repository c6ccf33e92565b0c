"""Reading, writing, merging and checking the pseudo labels that labelers make."""

from .generate import GenerationOptions, generate_pseudo_labels
from .plan import Shard

__all__ = ['GenerationOptions', 'Shard', 'generate_pseudo_labels']
