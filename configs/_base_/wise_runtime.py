# Runtime of WISE. The last checkpoint counts; the paper says of no other.
_base_ = './end_to_end_runtime.py'

default_hooks = dict(
    checkpoint=dict(interval=10000),
    visualization=dict(type='mmwsis.WISEVisualizationHook'),
)
