"""Weakly-supervised instance and panoptic segmentation on MMDetection.

Importing the package is cheap and needs nothing but Python, so that
``python -m mmwsis.doctor`` can explain a broken installation.
"""

from mmwsis.version import __version__

__all__ = ['__version__']
