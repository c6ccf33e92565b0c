from .scale_aware_mask_head import ScaleAwareMaskHead

__all__ = ['ScaleAwareMaskHead']
