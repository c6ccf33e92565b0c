from mmwsis.compat import show_all_panoptic_predictions

from .bestie import BESTIE
from .end_to_end_detector import EndToEndDetector
from .predictions import fill_instances, fill_panoptic, fill_points
from .wise import WISE
from .wise_masks import WISEResult

show_all_panoptic_predictions()

__all__ = [
    'BESTIE',
    'EndToEndDetector',
    'WISE',
    'WISEResult',
    'fill_instances',
    'fill_panoptic',
    'fill_points',
]
