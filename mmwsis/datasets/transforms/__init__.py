"""Transforms of data pipelines; a config writes them ``type='mmwsis.X'``."""

from .brightness_contrast_hue import BrightnessContrastHue
from .center_targets import GenerateCenterTargets
from .color_jitter import ColorJitter
from .cues import LoadCues
from .detections import LoadDetections
from .geometric import GeometricTransform
from .geometry import Geometry
from .loading import LoadCachedImage, LoadCheckedImage
from .mirrored_source import MirroredImage, MirroredObjectImage
from .object_crop import ObjectCrop, ObjectCropFlip
from .pack_weak import PackWeakInputs
from .packing import PackObjectCrop
from .panoptic import LoadPanopticAnnotations
from .pixel_groups import GeneratePixelGroups
from .points_to_pixels import PointsToPixels
from .prompts import PackPrompts
from .proposals import GenerateProposals, LoadProposals
from .random_crop_or_pad import RandomCropOrPad
from .random_mirror import RandomMirror
from .refinement_inputs import LoadBoxLabelMap, LoadFullLabels
from .rescaling import (
    ImageScales,
    RandomChoiceRescale,
    RandomLongSide,
    RandomRescale,
    ResizeToMultiple,
    ResizeToSize,
    ResizeToStride,
    Resizing,
    rescale_image,
)
from .stored_maps import LoadClassMaps, LoadPanopticMap, LoadSemanticMap
from .tag_crop import CropTags, TagCrop
from .views import RandomResizedCropView, TeacherStudentViews
from .weak_annotations import LoadWeakAnnotations

__all__ = [
    'BrightnessContrastHue',
    'GenerateCenterTargets',
    'GeneratePixelGroups',
    'GenerateProposals',
    'ColorJitter',
    'CropTags',
    'Geometry',
    'GeometricTransform',
    'ImageScales',
    'LoadBoxLabelMap',
    'LoadCachedImage',
    'LoadCheckedImage',
    'LoadPanopticAnnotations',
    'LoadClassMaps',
    'LoadCues',
    'LoadDetections',
    'LoadFullLabels',
    'LoadPanopticMap',
    'LoadProposals',
    'LoadSemanticMap',
    'LoadWeakAnnotations',
    'MirroredImage',
    'MirroredObjectImage',
    'ObjectCrop',
    'ObjectCropFlip',
    'PackObjectCrop',
    'PackPrompts',
    'PackWeakInputs',
    'PointsToPixels',
    'RandomCropOrPad',
    'RandomMirror',
    'RandomLongSide',
    'RandomRescale',
    'RandomChoiceRescale',
    'RandomResizedCropView',
    'TagCrop',
    'TeacherStudentViews',
    'Resizing',
    'ResizeToMultiple',
    'ResizeToSize',
    'ResizeToStride',
    'rescale_image',
]
