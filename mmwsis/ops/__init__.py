"""Stateless tensor algorithms: no registry, no configuration, no files."""

from .affinity_walk import affinity_walk
from .assigned_segments import AssignedSegments, assigned_segments
from .background_pixels import (
    background_pixels,
    least_covered_pixels,
    uncovered_pixels,
)
from .background_weights import background_weights
from .box_labels import (
    BoxAgreement,
    BoxLabels,
    box_agreement,
    box_label_map,
    pixel_boxes,
)
from .center_maps import cluster_centers, draw_centers, group_pixels
from .center_targets import CenterTargets, center_targets
from .centroids import InstanceMap, centroid_instance_map, refine_centroids
from .chosen_proposals import (
    ChosenProposals,
    choose_proposals,
    oracle_objects,
    oracle_proposals,
)
from .class_blobs import ClassBlobs, class_blobs
from .component_instances import ComponentInstances, component_instances
from .connected_components import Components, connected_components
from .crf_kernels import CRF_PRESETS, BilateralKernel, GaussianKernel
from .crf_unaries import unary_from_labels, unary_from_probabilities
from .crop_grid import crop_grid, keep_allowed_labels, merge_crop_labels
from .dense_crf import DenseCRF, crf_refine_labels, dense_crf
from .distinct_points import distinct_points
from .enlarged_at import enlarged_at
from .grab_cut import grab_cut
from .grad_cam import grad_cam, gradcam_label_map
from .grid_cells import PointCells, box_cells, cells_to_grid, extreme_points_to_cells
from .instance_unaries import box_term, global_term, instance_unary
from .k_means import cluster_representatives, k_means
from .label_refinement import (
    BoxInstances,
    box_instances,
    fill_sparse_boxes,
    keep_boxed_labels,
    keep_sure_labels,
    merge_box_map,
)
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
from .merge_augs import merge_aug_cams, merge_aug_relations, merge_flipped_cams
from .paste_crop import MaskPatch, combine_logits, crop_mask_patches
from .patch_rle import (
    encode_filled_box,
    encode_patch,
    filled_box_span,
    pixels_between,
)
from .path_affinity import path_affinity
from .peak_attention import peak_attention
from .peak_stimulation import peak_stimulation, stimulation_peaks
from .peaks import Peaks, find_peaks, region_peaks
from .permutohedral import PermutohedralLattice
from .pixel_assignment import assign_pixels
from .pixel_groups import PixelGroups, draw_pixel_groups
from .pixel_paths import pixel_directions, pixel_paths, source_window
from .point_retrieval import (
    PointRetrieval,
    drop_points,
    lacks_pseudo_points,
    retrieve_points,
)
from .proposal_generation import generate_proposals
from .proposals import (
    best_proposals,
    match_boxes_to_proposals,
    points_in_proposals,
    proposal_boxes,
    proposal_candidates,
    proposal_coverage,
    proposal_jaccard,
    proposal_probabilities,
    proposal_union,
)
from .random_walk import propagation_scores
from .refined_targets import point_targets, refined_targets
from .scored_instances import (
    PointInstances,
    ScoredInstances,
    average_flipped,
    keep_tagged,
    point_instances,
    scored_instances,
)
from .segment_matching import match_segments, matched_map, segment_ious
from .sinkhorn import NonFiniteSimilarityError, sinkhorn_scaling
from .stride4_grid import stride4_labels, stride4_size
from .watershed_boundaries import watershed_boundaries

__all__ = [
    'grab_cut',
    'pixel_boxes',
    'box_label_map',
    'box_agreement',
    'BoxLabels',
    'BoxAgreement',
    'CRF_PRESETS',
    'AssignedSegments',
    'BestChannels',
    'BilateralKernel',
    'BoxInstances',
    'CenterTargets',
    'ChosenProposals',
    'ClassBlobs',
    'ComponentInstances',
    'Components',
    'DenseCRF',
    'GaussianKernel',
    'InstanceMap',
    'MaskPatch',
    'NonFiniteSimilarityError',
    'Peaks',
    'PermutohedralLattice',
    'PixelGroups',
    'PointCells',
    'PointInstances',
    'PointRetrieval',
    'ScoredInstances',
    'SynthesizedInstances',
    'affinity_walk',
    'assign_pixels',
    'assigned_segments',
    'average_flipped',
    'background_pixels',
    'background_weights',
    'best_channels',
    'best_proposals',
    'box_cells',
    'box_instances',
    'box_term',
    'cells_to_grid',
    'center_targets',
    'centroid_instance_map',
    'choose_proposals',
    'class_blobs',
    'cluster_centers',
    'cluster_representatives',
    'combine_logits',
    'component_instances',
    'connected_components',
    'crf_refine_labels',
    'crop_grid',
    'crop_mask_patches',
    'dense_crf',
    'distinct_points',
    'draw_centers',
    'draw_pixel_groups',
    'drop_points',
    'encode_filled_box',
    'encode_patch',
    'enlarged_at',
    'extreme_points_to_cells',
    'fill_sparse_boxes',
    'filled_box_span',
    'find_peaks',
    'generate_proposals',
    'grad_cam',
    'gradcam_label_map',
    'global_term',
    'group_pixels',
    'instance_channels',
    'instance_unary',
    'k_means',
    'keep_allowed_labels',
    'keep_boxed_labels',
    'keep_sure_labels',
    'keep_tagged',
    'lacks_pseudo_points',
    'least_covered_pixels',
    'match_boxes_to_proposals',
    'match_segments',
    'matched_map',
    'mean_field_refine',
    'merge_aug_cams',
    'merge_aug_relations',
    'merge_box_map',
    'merge_crop_labels',
    'merge_flipped_cams',
    'oracle_objects',
    'oracle_proposals',
    'path_affinity',
    'peak_attention',
    'peak_stimulation',
    'pixel_directions',
    'pixel_paths',
    'pixels_between',
    'point_instances',
    'point_targets',
    'points_in_proposals',
    'propagation_scores',
    'proposal_boxes',
    'proposal_candidates',
    'proposal_coverage',
    'proposal_jaccard',
    'proposal_probabilities',
    'proposal_union',
    'refine_centroids',
    'refined_targets',
    'region_peaks',
    'retrieve_points',
    'scored_instances',
    'segment_ious',
    'sinkhorn_scaling',
    'source_window',
    'split_components',
    'stimulation_peaks',
    'stride4_labels',
    'stride4_size',
    'synthesize_instances',
    'synthesize_semantics',
    'unary_from_labels',
    'unary_from_probabilities',
    'uncovered_pixels',
    'watershed_boundaries',
]
