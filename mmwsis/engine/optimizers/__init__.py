"""What an optimizer gets of a model; a config writes it ``constructor='mmwsis.X'``."""

from .trainable_parameters import TrainableParametersConstructor

__all__ = ['TrainableParametersConstructor']
