"""Pictures: weak labels, retrieval, masks beside ground truth, training curves."""

from .browse import browse_dataset
from .canvas import Canvas
from .coco_files import LabelFile
from .comparison import MaskColumn, comparison_sheet
from .curves import plot_curves, read_scalars
from .maps import class_map_tiles, draw_heat, draw_numbers, map_sheet
from .retrieval import RetrievalPicture, retrieval_sheet
from .retrieval_figure import draw_retrieval, retrieval_pictures
from .sheet import Tile, contact_sheet, save_image
from .visualizers import ObjectCropVisualizer, WeakLabelVisualizer
from .weak_labels import draw_weak_labels, supervision_levels_sheet, weak_label_sheet

__all__ = [
    'Canvas',
    'LabelFile',
    'MaskColumn',
    'ObjectCropVisualizer',
    'RetrievalPicture',
    'Tile',
    'WeakLabelVisualizer',
    'browse_dataset',
    'class_map_tiles',
    'comparison_sheet',
    'contact_sheet',
    'draw_heat',
    'draw_numbers',
    'draw_retrieval',
    'draw_weak_labels',
    'map_sheet',
    'plot_curves',
    'read_scalars',
    'retrieval_pictures',
    'retrieval_sheet',
    'save_image',
    'supervision_levels_sheet',
    'weak_label_sheet',
]
