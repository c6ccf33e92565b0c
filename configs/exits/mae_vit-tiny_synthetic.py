# The self-supervised start of the small labelers, EXITS and MAL alike: a short masked
# autoencoder on the training images. It reads no label.
_base_ = [
    '../_base_/models/mae_vit-tiny.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_runtime.py',
]

crop_size = 128
max_iters = 800
warmup_iters = 50

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.UnlabelledImageDataset',
        data_root=_base_.data_spec.data_root,
        # Only the list of its images is read.
        ann_file=_base_.data_spec.train.weak.extreme_points,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=[
            dict(type='mmwsis.LoadCachedImage'),
            dict(
                type='mmwsis.RandomResizedCropView',
                crop_size=crop_size,
                scale=(0.2, 1.0),
            ),
            dict(type='mmwsis.ObjectCropFlip', prob=0.5),
            dict(type='mmwsis.PackObjectCrop'),
        ],
    ),
)
val_cfg = None
test_cfg = None

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=2e-3, betas=(0.9, 0.95), weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.02,
        by_epoch=False,
        begin=warmup_iters,
        end=max_iters,
    ),
]
auto_scale_lr = dict(base_batch_size=16)

wsis = dict(
    method='EXITS',
    stage='pretrain',
    supervision='image_tags',
    requires=[
        dict(
            path='data/synthetic/weak/extreme_points_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
    ],
    produces='work_dirs/mae_vit-tiny_synthetic/iter_800.pth',
)
