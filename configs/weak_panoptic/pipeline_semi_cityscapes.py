# Weak panoptic on Cityscapes, a quarter of the fine images with full labels:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_semi_cityscapes.py
# Of coarse images no map is full; their labels of later rounds come from a network that has
# learned from some.
_base_ = ['./pipeline_cityscapes.py', '../_base_/pipelines/weak_panoptic_semi.py']

pipeline = dict(
    name='weak_panoptic_semi_{data}',
    title='Weak panoptic on {title}, a quarter with full labels',
    without=_base_.without,
    changes=dict(
        _base_.changes,
        extra_labels=dict(
            out='{data_root}/pseudo_labels/weak_panoptic_semi_extra_round{round}.json',
            work_dir=_base_.changes.labels.work_dir,
        ),
    ),
)
