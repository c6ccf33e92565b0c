"""Transforms of data pipelines; a config writes them ``type='mmwsis.X'``."""

from .loading import LoadCachedImage
from .object_crop import ObjectCrop, ObjectCropFlip
from .pack_weak import PackWeakInputs
from .packing import PackObjectCrop
from .stored_maps import LoadClassMaps, LoadSemanticMap
from .views import RandomResizedCropView, TeacherStudentViews

__all__ = [
    'LoadCachedImage',
    'LoadClassMaps',
    'LoadSemanticMap',
    'ObjectCrop',
    'ObjectCropFlip',
    'PackObjectCrop',
    'PackWeakInputs',
    'RandomResizedCropView',
    'TeacherStudentViews',
]
