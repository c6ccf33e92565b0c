from .cam_classifier import CAMClassifier
from .exits_labeler import ExitsLabeler
from .loss_ramp import LossRamp
from .mae_pretrainer import MAEPretrainer
from .mask_auto_labeler import MaskAutoLabeler
from .mask_label_network import MaskLabelNetwork
from .multi_scale_cam import MultiScaleCAM
from .patch_grid import patchify, sincos_positions, unpatchify
from .similarity_extractor import SimilarityExtractor

__all__ = [
    'CAMClassifier',
    'ExitsLabeler',
    'LossRamp',
    'MAEPretrainer',
    'MaskAutoLabeler',
    'MaskLabelNetwork',
    'MultiScaleCAM',
    'SimilarityExtractor',
    'patchify',
    'sincos_positions',
    'unpatchify',
]
