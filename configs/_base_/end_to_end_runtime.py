# Runtime of networks that learn from weak labels and are the final model: everything is
# counted in iterations, predictions are drawn as MMDetection's.
_base_ = './default_runtime.py'

default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(by_epoch=False, interval=1000, max_keep_ckpts=3),
    visualization=dict(type='DetVisualizationHook'),
)
visualizer = dict(type='DetLocalVisualizer')
log_processor = dict(by_epoch=False)
