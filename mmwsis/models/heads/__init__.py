from .boundary_head import BoundaryHead
from .class_map_head import ClassMapHead
from .displacement_head import DisplacementHead
from .fcn8_head import FCN8Head
from .instance_crf_head import AssignedPixels, InstanceCRFHead
from .peak_attention_head import PeakAttentionHead
from .peak_stimulation_head import PeakStimulationHead
from .pixel_head import PixelHead
from .scale_aware_mask_head import ScaleAwareMaskHead

__all__ = [
    'AssignedPixels',
    'BoundaryHead',
    'ClassMapHead',
    'DisplacementHead',
    'FCN8Head',
    'InstanceCRFHead',
    'PeakAttentionHead',
    'PeakStimulationHead',
    'PixelHead',
    'ScaleAwareMaskHead',
]
