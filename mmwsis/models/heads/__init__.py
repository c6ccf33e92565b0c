from .boundary_head import BoundaryHead
from .displacement_head import DisplacementHead
from .scale_aware_mask_head import ScaleAwareMaskHead

__all__ = ['BoundaryHead', 'DisplacementHead', 'ScaleAwareMaskHead']
