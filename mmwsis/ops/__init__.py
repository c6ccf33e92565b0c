"""Stateless tensor algorithms: no registry, no configuration, no files."""

from .grid_cells import PointCells, box_cells, cells_to_grid, extreme_points_to_cells
from .mean_field import mean_field_refine
from .paste_crop import (
    MaskPatch,
    combine_logits,
    crop_mask_patches,
    paste_crop_masks,
)
from .patch_rle import encode_filled_box, encode_patch
from .point_retrieval import (
    PointRetrieval,
    drop_points,
    lacks_pseudo_points,
    retrieve_points,
)
from .random_walk import propagation_scores
from .sinkhorn import NonFiniteSimilarityError, sinkhorn_scaling

__all__ = [
    'MaskPatch',
    'NonFiniteSimilarityError',
    'PointCells',
    'PointRetrieval',
    'box_cells',
    'cells_to_grid',
    'combine_logits',
    'crop_mask_patches',
    'drop_points',
    'encode_filled_box',
    'encode_patch',
    'extreme_points_to_cells',
    'lacks_pseudo_points',
    'mean_field_refine',
    'paste_crop_masks',
    'propagation_scores',
    'retrieve_points',
    'sinkhorn_scaling',
]
