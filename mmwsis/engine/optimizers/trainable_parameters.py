"""Optimizers of what is trained alone."""

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from mmwsis.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TrainableParametersConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, without the parameters that are frozen.

    Those stay in the optimizer otherwise, and in the checkpoints' lists of parameters.
    What is frozen when the optimizer is built (``requires_grad=False``) counts, such as
    batch norms with ``norm_cfg=dict(type='BN', requires_grad=False)``. Options of
    ``paramwise_cfg`` are MMEngine's.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        >>> _ = model[1].requires_grad_(False)
        >>> make = TrainableParametersConstructor(
        ...     dict(optimizer=dict(type='Adam', lr=1e-5)))
        >>> [len(group['params']) for group in make(model).param_groups]
        [2]
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer and its wrapper.

        Args:
            model: With or without the wrapper of distributed training.

        Returns:
            A wrapper whose groups hold trainable parameters, each at least one.
        """
        wrapper = super().__call__(model)
        groups = wrapper.optimizer.param_groups
        for group in groups:
            group['params'] = [one for one in group['params'] if one.requires_grad]
        groups[:] = [group for group in groups if group['params']]
        return wrapper
