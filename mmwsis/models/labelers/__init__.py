from .base_labeler import BaseLabeler
from .cam_classifier import CAMClassifier
from .class_map_labelers import ClassMapComponents, RelationLabeler
from .crop_tag_classifier import CropTagClassifier
from .exits_labeler import ExitsLabeler
from .feature_similarity import FeatureSimilarity
from .flipped_cam import FlippedCAM
from .grab_cut_proposals import GrabCutProposals
from .grad_cam import GradCAM
from .irnet import IRNet
from .label_refinement import LabelRefinement
from .loss_ramp import LossRamp
from .mae_pretrainer import MAEPretrainer
from .mask_auto_labeler import MaskAutoLabeler
from .mask_label_network import MaskLabelNetwork
from .merge_weak_labels import MergeWeakLabels
from .multi_scale_cam import MultiScaleCAM
from .patch_grid import patchify, sincos_positions, unpatchify
from .peak_response_classifier import PeakResponseClassifier
from .proposal_generator import ProposalGenerator
from .sam_labeler import SAMLabeler
from .sam_refiner import SAMRefiner
from .similarity_extractor import SimilarityExtractor
from .weight_free_labeler import WeightFreeLabeler

__all__ = [
    'BaseLabeler',
    'CAMClassifier',
    'ClassMapComponents',
    'CropTagClassifier',
    'ExitsLabeler',
    'FeatureSimilarity',
    'FlippedCAM',
    'GrabCutProposals',
    'GradCAM',
    'IRNet',
    'LabelRefinement',
    'LossRamp',
    'MAEPretrainer',
    'MaskAutoLabeler',
    'MaskLabelNetwork',
    'MergeWeakLabels',
    'MultiScaleCAM',
    'PeakResponseClassifier',
    'ProposalGenerator',
    'RelationLabeler',
    'SAMLabeler',
    'SAMRefiner',
    'SimilarityExtractor',
    'WeightFreeLabeler',
    'patchify',
    'sincos_positions',
    'unpatchify',
]
