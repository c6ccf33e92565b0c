from .dice_loss import dice_loss
from .extreme_point_loss import ExtremePointLoss, point_labels, point_loss
from .inter_pixel_relation_loss import (
    InterPixelRelationLoss,
    inter_pixel_relation_loss,
)
from .mean_field_crf_loss import MeanFieldCRFLoss
from .projection_mil_loss import (
    ProjectionMILLoss,
    downsample_box_mask,
    projection_mil_loss,
)
from .reduction import SampleLoss

__all__ = [
    'ExtremePointLoss',
    'InterPixelRelationLoss',
    'MeanFieldCRFLoss',
    'ProjectionMILLoss',
    'SampleLoss',
    'dice_loss',
    'downsample_box_mask',
    'inter_pixel_relation_loss',
    'point_labels',
    'point_loss',
    'projection_mil_loss',
]
