"""Metrics: quality of pseudo labels, retention of final models, AP, PQ, coverage."""

from .class_map_metric import ClassMapMetric
from .coco_instance_metric import CocoInstanceMetric
from .compare_files import Comparison, compare_files
from .counting_metric import CountingMetric
from .coverage_metric import CoverageMetric
from .mask_quality import InstanceQuality, class_mean_iou, mask_iou, summarize
from .panoptic_ap_metric import PanopticAPMetric
from .panoptic_quality_metric import PanopticQualityMetric
from .pseudo_label_metric import PseudoLabelMetric
from .quality_report import markdown_report, write_quality_report
from .semantic_iou_metric import SemanticIoUMetric
from .tag_accuracy_metric import TagAccuracyMetric
from .voc_instance_metric import VOCInstanceMetric

__all__ = [
    'ClassMapMetric',
    'CocoInstanceMetric',
    'Comparison',
    'CountingMetric',
    'CoverageMetric',
    'InstanceQuality',
    'PanopticAPMetric',
    'PanopticQualityMetric',
    'PseudoLabelMetric',
    'SemanticIoUMetric',
    'TagAccuracyMetric',
    'VOCInstanceMetric',
    'class_mean_iou',
    'compare_files',
    'markdown_report',
    'mask_iou',
    'summarize',
    'write_quality_report',
]
