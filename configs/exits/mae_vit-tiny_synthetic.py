# The self-supervised start of the small labelers, EXITS and MAL alike: a short masked
# autoencoder on the training images. It reads no label.
_base_ = [
    '../data_specs/synthetic.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_runtime.py',
]

model = dict(
    type='mmwsis.MAEPretrainer',
    data_preprocessor=dict(
        type='mmwsis.ObjectCropPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        min_contrast=30,  # as the models that start from it
    ),
    encoder=dict(
        type='mmwsis.LabelerViT',
        patch_embed_type='linear',
        img_size=(128, 128),
        patch_size=8,
        embed_dims=96,
        num_layers=4,
        num_heads=4,
        mlp_ratio=4,
    ),
    decoder_dims=64,
    decoder_layers=2,
    decoder_heads=4,
    mask_ratio=0.75,
    norm_pixel_loss=True,
)

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
    dict(type='mmwsis.LinearWarmupLR', by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.02,
        by_epoch=False,
        begin=warmup_iters,
        end=max_iters,
    ),
]
auto_scale_lr = dict(base_batch_size=16)

wsis = dict(method='EXITS', stage='pretrain', supervision='image_tags')
