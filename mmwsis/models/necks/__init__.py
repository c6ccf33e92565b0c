from .panoptic_deeplab_decoders import PanopticDeepLabDecoders

__all__ = ['PanopticDeepLabDecoders']
