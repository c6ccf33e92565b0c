"""Stateless tensor algorithms: no registry, no configuration, no files."""

from .crf_kernels import CRF_PRESETS, BilateralKernel, GaussianKernel
from .dense_crf import (
    DenseCRF,
    crf_refine_labels,
    dense_crf,
    unary_from_labels,
    unary_from_probabilities,
)
from .grid_cells import PointCells, box_cells, cells_to_grid, extreme_points_to_cells
from .mean_field import mean_field_refine
from .paste_crop import (
    MaskPatch,
    combine_logits,
    crop_mask_patches,
    paste_crop_masks,
)
from .patch_rle import encode_filled_box, encode_patch
from .permutohedral import PermutohedralLattice
from .point_retrieval import (
    PointRetrieval,
    drop_points,
    lacks_pseudo_points,
    retrieve_points,
)
from .random_walk import propagation_scores
from .sinkhorn import NonFiniteSimilarityError, sinkhorn_scaling

__all__ = [
    'PermutohedralLattice',
    'unary_from_probabilities',
    'unary_from_labels',
    'dense_crf',
    'crf_refine_labels',
    'GaussianKernel',
    'DenseCRF',
    'BilateralKernel',
    'CRF_PRESETS',
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
