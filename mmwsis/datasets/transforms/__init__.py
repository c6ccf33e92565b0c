"""Transforms of data pipelines; a config writes them ``type='mmwsis.X'``."""

from .loading import LoadCachedImage
from .object_crop import ObjectCrop, ObjectCropFlip
from .pack_weak import PackWeakInputs
from .packing import PackObjectCrop
from .panoptic import LoadPanopticAnnotations
from .views import RandomResizedCropView, TeacherStudentViews

__all__ = [
    'LoadCachedImage',
    'LoadPanopticAnnotations',
    'ObjectCrop',
    'ObjectCropFlip',
    'PackObjectCrop',
    'PackWeakInputs',
    'RandomResizedCropView',
    'TeacherStudentViews',
]
