# The classifier of IRNet's synthetic recipe with three convolutions with peak attention:
# instance cues of 128x128 scenes, on two CPU cores. From scratch, few positions would teach
# it slowly; IRNet's classifier, which makes the semantic maps, stands in for ImageNet weights.
_base_ = '../irnet/cam_r18_synthetic.py'

classifier = 'work_dirs/cam_r18_synthetic/iter_150.pth'
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            checkpoint=classifier,
            prefix='backbone.',
        ),
    ),
    head=dict(
        _delete_=True,
        type='mmwsis.PeakAttentionHead',
        num_classes=6,
        in_channels=128,
        feat_channels=64,
        num_convs=3,
        act_cfg=dict(type='mmwsis.PeakAttention', alpha=0.7),
    ),
    map_extractor=dict(_delete_=True, type='mmwsis.FlippedCAM', smoothing=3),
    test_cfg=dict(
        kernel_size=15,
        min_score=0.1,
        max_per_class=25,
        merge_plateaus=False,
        score_digits=3,
    ),
)

# Means of sparse maps are small numbers, which large weights have to make up for.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(
        custom_keys={
            'head': dict(lr_mult=5),
            'head.classifier': dict(lr_mult=50),
        }
    ),
)

# A little larger than in training; larger still, more objects have several cues.
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=160, interpolation='bilinear'),
    dict(type='mmwsis.PackWeakInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# Instance cues; `--artifact class_maps` writes the maps that they are the peaks of.
artifact = 'points'

# --show and --show-dir of tools/test.py draw the maps and their cues over the images.
default_hooks = dict(visualization=dict(show_points=True))

wsis = dict(
    method='BESTIE',
    requires=['configs/irnet/cam_r18_synthetic.py'],
    produces='data/synthetic/pseudo_labels/bestie_cues.json',
)
