from .dice_loss import dice_loss
from .extreme_point_loss import ExtremePointLoss, point_labels, point_loss
from .guided_losses import CenterLoss, OffsetLoss, center_loss, offset_loss
from .hard_pixel_cross_entropy import (
    HardPixelCrossEntropy,
    hard_pixel_cross_entropy,
)
from .inter_pixel_relation_loss import (
    InterPixelRelationLoss,
    inter_pixel_relation_loss,
)
from .lcfcn_loss import LCFCNLoss, lcfcn_loss
from .matched_segment_loss import MatchedSegmentLoss, matched_segment_loss
from .mean_field_crf_loss import MeanFieldCRFLoss
from .pixel_embedding_loss import PixelEmbeddingLoss, pixel_embedding_loss
from .projection_mil_loss import (
    ProjectionMILLoss,
    downsample_box_mask,
    projection_mil_loss,
)
from .reduction import SampleLoss

__all__ = [
    'CenterLoss',
    'ExtremePointLoss',
    'HardPixelCrossEntropy',
    'InterPixelRelationLoss',
    'LCFCNLoss',
    'MatchedSegmentLoss',
    'MeanFieldCRFLoss',
    'OffsetLoss',
    'PixelEmbeddingLoss',
    'ProjectionMILLoss',
    'SampleLoss',
    'center_loss',
    'dice_loss',
    'downsample_box_mask',
    'hard_pixel_cross_entropy',
    'inter_pixel_relation_loss',
    'lcfcn_loss',
    'matched_segment_loss',
    'offset_loss',
    'pixel_embedding_loss',
    'point_labels',
    'point_loss',
    'projection_mil_loss',
]
