# BESTIE from image tags, as released.
_base_ = [
    '../_base_/models/bestie_hrnet-w48.py',
    '../_base_/datasets/voc.py',
    '../_base_/datasets/bestie_crops.py',
    '../_base_/schedules/bestie_50k.py',
    '../_base_/end_to_end_runtime.py',
]

# Where the stages before this one wrote semantic maps and cues. Maps of another method,
# made or imported, are another folder here.
semantic_maps = 'data/voc/pseudo_labels/irnet_semantic'
cues = 'data/voc/pseudo_labels/bestie_cues.json'
_base_.train_pipeline[1].folder = semantic_maps
_base_.train_pipeline[2].ann_file = cues
train_dataloader = dict(
    batch_size=4,  # 4 GPUs
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(pipeline=_base_.train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=_base_.label_pipeline))
artifact = dict(type='instances', min_score=0.0)
val_evaluator = dict(
    type='mmwsis.VOCInstanceMetric',
    ann_file=f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}',
)
test_evaluator = val_evaluator
# The released code keeps the best of these; pipelines take the last one, which asks no
# masks.
default_hooks = dict(checkpoint=dict(save_best='voc/AP50', rule='greater'))
# Pseudo and refined labels of the same crops, as training goes on.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.RefinementVisualizationHook', interval=10000),
]

wsis = dict(
    method='BESTIE',
    stage='end_to_end',
    supervision='image_tags',
    requires=[
        'configs/bestie/pam_vgg16_voc.py',
        dict(
            path=semantic_maps,
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/irnet_r50_voc.py '
            'work_dirs/irnet_r50_voc/epoch_3.pth '
            '--artifact semantic_maps '
            '--out data/voc/pseudo_labels/irnet_semantic',
        ),
    ],
    produces='data/voc/pseudo_labels/bestie.json',
)
