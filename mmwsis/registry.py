"""Child registries of MMEngine's roots, scope ``mmwsis``.

Modules are imported on first look-up through ``locations``, so a config only has
to say ``type='mmwsis.X'``; ``custom_imports`` is not needed and ``default_scope``
may stay ``'mmdet'``.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

from mmwsis.compat import apply_compat

apply_compat()

DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmwsis',
    locations=['mmwsis.datasets'],
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope='mmwsis',
    locations=['mmwsis.datasets'],
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmwsis',
    locations=['mmwsis.datasets.transforms'],
)
MODELS = Registry(
    'model', parent=MMENGINE_MODELS, scope='mmwsis', locations=['mmwsis.models']
)
WEIGHT_INITIALIZERS = Registry(
    'weight initializer',
    parent=MMENGINE_WEIGHT_INITIALIZERS,
    scope='mmwsis',
    locations=['mmwsis.models'],
)
HOOKS = Registry(
    'hook', parent=MMENGINE_HOOKS, scope='mmwsis', locations=['mmwsis.engine.hooks']
)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmwsis',
    locations=['mmwsis.engine.optimizers'],
)
PARAM_SCHEDULERS = Registry(
    'parameter scheduler',
    parent=MMENGINE_PARAM_SCHEDULERS,
    scope='mmwsis',
    locations=['mmwsis.engine.schedulers'],
)
METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmwsis',
    locations=['mmwsis.evaluation.metrics'],
)
