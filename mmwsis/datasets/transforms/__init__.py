"""Transforms of data pipelines; a config writes them ``type='mmwsis.X'``."""

from .loading import LoadCachedImage, LoadCheckedImage
from .object_crop import ObjectCrop, ObjectCropFlip
from .pack_weak import PackWeakInputs
from .packing import PackObjectCrop
from .panoptic import LoadPanopticAnnotations
from .random_crop_or_pad import RandomCropOrPad
from .rescaling import ImageScales, RandomLongSide, RandomRescale, rescale_image
from .stored_maps import LoadClassMaps, LoadPanopticMap, LoadSemanticMap
from .views import RandomResizedCropView, TeacherStudentViews

__all__ = [
    'ImageScales',
    'LoadCachedImage',
    'LoadCheckedImage',
    'LoadPanopticAnnotations',
    'LoadClassMaps',
    'LoadPanopticMap',
    'LoadSemanticMap',
    'ObjectCrop',
    'ObjectCropFlip',
    'PackObjectCrop',
    'PackWeakInputs',
    'RandomCropOrPad',
    'RandomLongSide',
    'RandomRescale',
    'RandomResizedCropView',
    'TeacherStudentViews',
    'rescale_image',
]
