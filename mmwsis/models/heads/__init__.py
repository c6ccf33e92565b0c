from .class_map_head import ClassMapHead
from .scale_aware_mask_head import ScaleAwareMaskHead

__all__ = ['ClassMapHead', 'ScaleAwareMaskHead']
