_base_ = [
    '../_base_/models/irnet_r50.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/datasets/relation_pairs.py',
    '../_base_/small_runtime.py',
]

# IRNet on the small classifier's backbone, of stride 8: the stem and three groups. There
# are no ImageNet weights for it, so it starts from the classifier's, the only ones learned
# from the tags of these scenes, and goes on learning with the heads: frozen, its features
# hardly tell one side of an object from the other, and displacements stay useless. It sees
# images of 128 pixels twice enlarged.
classifier = 'work_dirs/cam_r18_synthetic/iter_150.pth'
model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            checkpoint=classifier,
            prefix='backbone.',
        ),
    ),
    freeze_backbone=False,
    boundary_head=dict(in_channels=(32, 32, 64, 128), strides=(4, 4, 8, 8)),
    displacement_head=dict(
        in_channels=(32, 32, 64, 128),
        strides=(4, 4, 8, 8),
        feat_channels=(32, 64, 128, 128),
        num_groups=(8, 16, 16, 16),
    ),
    loss=dict(num_classes=6),
    test_cfg=dict(
        min_size=256,
        # On a grid of 64 x 64 the paper's 256 steps mix the whole image.
        num_steps=16,
        beta=40.0,
        # Objects are small on it: with the paper's 2.5 cells the weak region of a star's
        # centre runs into the background between the points.
        weak_threshold=1.5,
    ),
)

relation_labels = 'data/synthetic/relation_labels/irnet'
class_maps = 'data/synthetic/class_maps/irnet'
# Images of 128 pixels, enlarged: the network's cells of four pixels are coarse for objects
# of forty.
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadSemanticMap', folder=relation_labels),
    dict(type='mmwsis.RandomRescale', scale=(1.5, 2.5)),
    dict(type='mmwsis.RandomFlip', prob=0.5),
    dict(type='mmwsis.RandomCropOrPad', crop_size=256, seg_pad_value=255),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadClassMaps', folder=class_maps, names=('cam',)),
    dict(type='mmwsis.RandomRescale', scale=(2.0, 2.0)),
    dict(type='mmwsis.PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
pseudo_label_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = None
test_dataloader = None

# IRNet's heads on two CPU cores. The paper's SGD without momentum needs a thousand
# iterations of 32 crops; AdamW does with fewer. Iterations, not epochs, so that the recipe
# also fits datasets of another size.
max_iters = 300
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=1e-4)
)
param_scheduler = [
    dict(
        type='mmwsis.PolyDecayLR',
        power=0.9,
        eta_min=0,
        by_epoch=False,
        begin=0,
        end=max_iters,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)

# When training is over, the mean displacement is found.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.DisplacementMeanHook', crop_size=256, whole_batches=32),
]

wsis = dict(
    method='IRNet',
    stage='labeler',
    supervision='image_tags',
    requires=[
        'configs/irnet/cam_r18_synthetic.py',
        'configs/irnet/relation-labels_synthetic.py',
    ],
    produces='data/synthetic/pseudo_labels/irnet.json',
)
