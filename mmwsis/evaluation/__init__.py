"""Metrics: quality of pseudo labels, retention of final models."""

from .compare_files import Comparison, compare_files
from .mask_quality import (
    InstanceQuality,
    class_mean_iou,
    is_separated,
    mask_iou,
    summarize,
)
from .pseudo_label_metric import PseudoLabelMetric
from .quality_report import markdown_report, write_quality_report

__all__ = [
    'Comparison',
    'InstanceQuality',
    'PseudoLabelMetric',
    'class_mean_iou',
    'compare_files',
    'is_separated',
    'markdown_report',
    'mask_iou',
    'summarize',
    'write_quality_report',
]
