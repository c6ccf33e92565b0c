"""What each label buys: every method on one dataset, against hours of annotation."""

from .dataset import MaskedDataset, read_masked_dataset
from .methods import DEFAULT_METHODS, METHODS, Method
from .plan import Plan, Run, make_plan

__all__ = [
    'DEFAULT_METHODS',
    'METHODS',
    'MaskedDataset',
    'Method',
    'Plan',
    'Run',
    'make_plan',
    'read_masked_dataset',
]
