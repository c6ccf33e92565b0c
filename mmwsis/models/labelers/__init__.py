from .exits_labeler import ExitsLabeler
from .loss_ramp import LossRamp
from .mae_pretrainer import MAEPretrainer
from .mask_auto_labeler import MaskAutoLabeler
from .mask_label_network import MaskLabelNetwork
from .patch_grid import patchify, sincos_positions, unpatchify
from .similarity_extractor import SimilarityExtractor

__all__ = [
    'ExitsLabeler',
    'LossRamp',
    'MAEPretrainer',
    'MaskAutoLabeler',
    'MaskLabelNetwork',
    'SimilarityExtractor',
    'patchify',
    'sincos_positions',
    'unpatchify',
]
