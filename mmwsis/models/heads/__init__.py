from .boundary_head import BoundaryHead
from .class_map_head import ClassMapHead
from .displacement_head import DisplacementHead
from .fcn8_head import FCN8Head
from .peak_attention_head import PeakAttentionHead
from .peak_stimulation_head import PeakStimulationHead
from .pixel_head import PixelHead
from .scale_aware_mask_head import ScaleAwareMaskHead

__all__ = [
    'BoundaryHead',
    'ClassMapHead',
    'DisplacementHead',
    'FCN8Head',
    'PeakAttentionHead',
    'PeakStimulationHead',
    'PixelHead',
    'ScaleAwareMaskHead',
]
