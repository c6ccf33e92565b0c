"""Figures: weak labels, retrieval, masks beside ground truth, training curves."""

from .browse import browse_dataset
from .canvas import Canvas
from .coco_files import LabelFile
from .comparison import MaskColumn, comparison_sheet
from .curves import plot_curves, read_scalars
from .maps import class_map_tiles, draw_heat, draw_numbers, map_sheet
from .object_tiles import object_tiles
from .retrieval import RetrievalFigure, retrieval_sheet
from .retrieval_figure import draw_retrieval, retrieval_figures
from .sheet import Tile, contact_sheet, save_image
from .weak_labels import draw_weak_labels, weak_label_sheet

__all__ = [
    'Canvas',
    'LabelFile',
    'MaskColumn',
    'RetrievalFigure',
    'Tile',
    'browse_dataset',
    'class_map_tiles',
    'comparison_sheet',
    'contact_sheet',
    'draw_heat',
    'draw_numbers',
    'draw_retrieval',
    'draw_weak_labels',
    'map_sheet',
    'object_tiles',
    'plot_curves',
    'read_scalars',
    'retrieval_figures',
    'retrieval_sheet',
    'save_image',
    'weak_label_sheet',
]
