# Runtime of classifiers: class maps are drawn over the images.
_base_ = './default_runtime.py'

default_hooks = dict(
    visualization=dict(
        _delete_=True, type='mmwsis.ClassMapVisualizationHook', draw=False
    )
)
