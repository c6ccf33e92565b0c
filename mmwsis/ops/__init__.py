"""Stateless tensor algorithms: no registry, no configuration, no files."""

from .affinity_walk import affinity_walk
from .centroids import InstanceMap, centroid_instance_map, refine_centroids
from .crf_kernels import CRF_PRESETS, BilateralKernel, GaussianKernel
from .crf_unaries import unary_from_labels, unary_from_probabilities
from .dense_crf import DenseCRF, crf_refine_labels, dense_crf
from .grid_cells import PointCells, box_cells, cells_to_grid, extreme_points_to_cells
from .label_synthesis import (
    BestChannels,
    SynthesizedInstances,
    best_channels,
    instance_channels,
    split_components,
    synthesize_instances,
    synthesize_semantics,
)
from .mean_field import mean_field_refine
from .merge_augs import merge_aug_cams, merge_aug_relations
from .paste_crop import MaskPatch, combine_logits, crop_mask_patches
from .patch_rle import encode_filled_box, encode_patch, filled_box_span
from .path_affinity import path_affinity
from .permutohedral import PermutohedralLattice
from .pixel_paths import pixel_directions, pixel_paths, source_window
from .point_retrieval import (
    PointRetrieval,
    drop_points,
    lacks_pseudo_points,
    retrieve_points,
)
from .proposal_generation import GeneratedProposals, generate_proposals
from .random_walk import propagation_scores
from .sinkhorn import NonFiniteSimilarityError, sinkhorn_scaling
from .stride4_grid import stride4_labels, stride4_size

__all__ = [
    'CRF_PRESETS',
    'BestChannels',
    'BilateralKernel',
    'DenseCRF',
    'GaussianKernel',
    'GeneratedProposals',
    'InstanceMap',
    'MaskPatch',
    'NonFiniteSimilarityError',
    'PermutohedralLattice',
    'PointCells',
    'PointRetrieval',
    'SynthesizedInstances',
    'affinity_walk',
    'best_channels',
    'box_cells',
    'cells_to_grid',
    'centroid_instance_map',
    'combine_logits',
    'crf_refine_labels',
    'crop_mask_patches',
    'dense_crf',
    'drop_points',
    'encode_filled_box',
    'encode_patch',
    'filled_box_span',
    'extreme_points_to_cells',
    'generate_proposals',
    'instance_channels',
    'lacks_pseudo_points',
    'mean_field_refine',
    'merge_aug_cams',
    'merge_aug_relations',
    'path_affinity',
    'pixel_directions',
    'pixel_paths',
    'propagation_scores',
    'refine_centroids',
    'retrieve_points',
    'sinkhorn_scaling',
    'source_window',
    'split_components',
    'stride4_labels',
    'stride4_size',
    'synthesize_instances',
    'synthesize_semantics',
    'unary_from_labels',
    'unary_from_probabilities',
]
