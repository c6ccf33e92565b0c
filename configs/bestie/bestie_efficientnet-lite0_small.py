# BESTIE on a few hundred photographs, without a GPU: EfficientNet-Lite0 with ImageNet
# weights, and narrow decoders of Panoptic-DeepLab.
_base_ = [
    '../_base_/models/bestie_hrnet-w48.py',
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/bestie_crops.py',
    '../_base_/schedules/bestie_50k.py',
    '../_base_/end_to_end_runtime.py',
]

norm_cfg = dict(type='BN', momentum=0.05)
# From the released 0.001, the first hundred iterations hardly learn anything.
init_std = 0.02
model = dict(
    num_classes=1,
    data_preprocessor=dict(**_base_.pixel_norm),
    backbone=dict(_delete_=True, **_base_.backbone),
    neck=dict(
        type='mmwsis.PanopticDeepLabDecoders',
        in_channels=(24, 40, 112, 320),
        semantic=dict(channels=64, low_channels=(16, 24, 32)),
        instance=dict(channels=64, low_channels=(16, 24, 32)),
        aspp_channels=64,
        dropout=0.1,
        kernel_size=5,
        align_corners=False,
        norm_cfg=norm_cfg,
        init_std=init_std,
    ),
    seg_head=dict(in_index=0, in_channels=64, feat_channels=64, init_std=init_std),
    center_head=dict(in_index=1, in_channels=64, feat_channels=64, init_std=init_std),
    offset_head=dict(in_index=1, in_channels=64, feat_channels=32, init_std=init_std),
    # Photographs of any size are looked at at this one; masks have the photograph's.
    test_cfg=dict(network_size=True),
    # All pixels, not the hardest fifth of the release: where semantic maps are wrong in many
    # places, those are the pixels that are hard. On animals7 labels from points had an AP50
    # of .511 with all pixels, .395 with a fifth.
    loss_seg=dict(ratio=None),
    # With the released 0.01 offsets need tens of thousands of iterations.
    loss_offset=dict(loss_weight=0.5),
)

# Where the stages before this one wrote semantic maps and cues. Maps of another method,
# made or imported, are another folder here.
semantic_maps = 'data/small/pseudo_labels/irnet_semantic'
cues = 'data/small/pseudo_labels/bestie_cues.json'
_base_.train_pipeline[1].folder = semantic_maps
_base_.train_pipeline[2].ann_file = cues
# Crops of images whose longer side is 289 pixels; images to predict on have 288.
crop_size = 256
_base_.train_pipeline[4].crop_size = crop_size
_base_.train_pipeline[6].crop_size = crop_size
long_side = dict(
    type='mmwsis.RandomLongSide', long_side=(288, 288), interpolation='bilinear'
)
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
test_pipeline.insert(1, long_side)
label_pipeline = _base_.label_pipeline
label_pipeline.insert(1, long_side)
train_dataloader = dict(
    batch_size=8,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=label_pipeline))
artifact = dict(type='instances', min_score=0.0)
val_evaluator = dict(
    type='mmwsis.CocoInstanceMetric',
    ann_file=f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}',
    metric='segm',
)
test_evaluator = val_evaluator

# Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 800
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(
        custom_keys=dict(
            backbone=dict(lr_mult=0.1),
            # Offsets are tens of pixels, which few iterations have to reach.
            offset_head=dict(lr_mult=10),
        )
    ),
)
_base_.param_scheduler[0].end = warmup_iters
_base_.param_scheduler[1].end = max_iters
param_scheduler = _base_.param_scheduler
auto_scale_lr = dict(base_batch_size=8)
sync_bn = None
default_hooks = dict(
    logger=dict(interval=25), checkpoint=dict(interval=200, max_keep_ckpts=4)
)
# Pseudo and refined labels of the same crops, as training goes on.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.RefinementVisualizationHook', interval=200),
]

wsis = dict(
    method='BESTIE',
    stage='end_to_end',
    supervision='image_tags',
    requires=[
        'configs/bestie/pam_efficientnet-lite0_small.py',
        dict(
            path=semantic_maps,
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/irnet_efficientnet-lite0_small.py '
            'work_dirs/irnet_efficientnet-lite0_small/iter_300.pth '
            '--artifact semantic_maps '
            '--out data/small/pseudo_labels/irnet_semantic',
        ),
    ],
    produces='data/small/pseudo_labels/bestie.json',
)
