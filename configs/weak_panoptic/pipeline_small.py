# Weak panoptic on a few hundred photographs with panoptic labels, or boxes and tags of crops:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_small.py --dataset FILE
_base_ = [
    '../_base_/pipelines/small.py',
    '../_base_/pipelines/weak_panoptic_stages.py',
]

pipeline = dict(
    name='weak_panoptic_{data}',
    title='Weak panoptic on {title}',
    supervision='boxes',
    without=['mixed_labels'],
    data=dict(
        small_panoptic=dict(
            title='a few hundred photographs',
            num_rounds=2,
            proposals='{data_root}/proposals/built_in',
            crop='160x160',
            box_labels='mmwsis::weak_panoptic/box-labels_small.py',
            classifier='mmwsis::weak_panoptic/classifier_efficientnet-lite0_small.py',
            merged_labels='mmwsis::weak_panoptic/merged-labels_small.py',
            network='mmwsis::weak_panoptic/semantic_efficientnet-lite0_small.py',
            detector='mmwsis::weak_panoptic/detector_faster-rcnn_efficientnet-lite0_small.py',
            instance_network='mmwsis::weak_panoptic/weak_panoptic_efficientnet-lite0_small.py',
            refined='mmwsis::weak_panoptic/panoptic-fpn_efficientnet-lite0_small.py',
        ),
    ),
    dataset='mmwsis::_base_/datasets/small_panoptic.py',
    stages=_base_.stages,
    fast=dict(
        # Two iterations leave a classifier at chance.
        tag_labels=dict(args=['--force']),
    ),
)
