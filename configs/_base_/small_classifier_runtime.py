# Runtime of the small classifiers: everything is counted in iterations.
_base_ = './classifier_runtime.py'

default_hooks = dict(
    logger=dict(interval=25),
    checkpoint=dict(by_epoch=False, interval=250, max_keep_ckpts=2),
)
log_processor = dict(by_epoch=False)
