"""Registered metrics; a config writes them ``type='mmwsis.X'``."""

from .class_map_metric import ClassMapMetric
from .coco_instance_metric import CocoInstanceMetric
from .counting_metric import CountingMetric
from .coverage_metric import CoverageMetric
from .panoptic_ap_metric import PanopticAPMetric
from .panoptic_quality_metric import PanopticQualityMetric
from .pseudo_label_metric import PseudoLabelMetric
from .semantic_iou_metric import SemanticIoUMetric
from .tag_accuracy_metric import TagAccuracyMetric
from .voc_instance_metric import VOCInstanceMetric

__all__ = [
    'ClassMapMetric',
    'CocoInstanceMetric',
    'CountingMetric',
    'CoverageMetric',
    'PanopticAPMetric',
    'PanopticQualityMetric',
    'PseudoLabelMetric',
    'SemanticIoUMetric',
    'TagAccuracyMetric',
    'VOCInstanceMetric',
]
