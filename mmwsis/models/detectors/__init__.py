from mmwsis.compat import show_all_panoptic_predictions

from .bestie import BESTIE
from .end_to_end_detector import EndToEndDetector
from .predictions import fill_instances, fill_panoptic, fill_points
from .true_segments import TrueSegments, true_segments
from .weak_panoptic import WeakPanoptic
from .wise import WISE
from .wise_masks import WISEResult

show_all_panoptic_predictions()

__all__ = [
    'BESTIE',
    'EndToEndDetector',
    'TrueSegments',
    'WISE',
    'WISEResult',
    'WeakPanoptic',
    'fill_instances',
    'fill_panoptic',
    'fill_points',
    'true_segments',
]
