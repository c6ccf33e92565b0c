"""Hooks that MMEngine and MMDetection lack."""

from .class_map_visualization_hook import ClassMapVisualizationHook
from .crop_prediction_visualization_hook import CropPredictionVisualizationHook
from .displacement_mean_hook import DisplacementMeanHook
from .exact_resume_hook import ExactResumeHook
from .panoptic_visualization_hook import PanopticVisualizationHook
from .refinement_visualization_hook import RefinementVisualizationHook
from .retrieval_visualization_hook import RetrievalVisualizationHook
from .stop_on_nan_hook import NonFiniteLossError, StopOnNaNHook
from .training_sources_hook import TrainingSourcesHook
from .wise_visualization_hook import WISEVisualizationHook

__all__ = [
    'ClassMapVisualizationHook',
    'CropPredictionVisualizationHook',
    'DisplacementMeanHook',
    'ExactResumeHook',
    'NonFiniteLossError',
    'PanopticVisualizationHook',
    'RefinementVisualizationHook',
    'RetrievalVisualizationHook',
    'StopOnNaNHook',
    'TrainingSourcesHook',
    'WISEVisualizationHook',
]
