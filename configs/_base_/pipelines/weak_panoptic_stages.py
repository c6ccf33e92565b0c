# Stages of weak panoptic (Li, Arnab, Torr), of all sizes. `data` of a pipeline says the
# configs: `box_labels`, `classifier`, `merged_labels`, `network`, `detector` and
# `instance_network`; `refined`, a final model on its labels; `num_rounds`; `proposals`, their folder; and `crop`, HEIGHTxWIDTH of the
# crops that have tags.
labels = '{data_root}/pseudo_labels'
truth = '{data_root}/{train.panoptic.ann_file}'
truth_maps = '{data_root}/{train.panoptic.seg}'
mixed = '{data_root}/weak/masks25_boxes75_panoptic_train.json'
detections = {
    'train_dataloader.dataset.pipeline.2.ann_file': '{out:detections}',
    'pseudo_label_dataloader.dataset.pipeline.1.ann_file': '{out:detections}',
    'val_dataloader.dataset.pipeline.1.ann_file': f'{labels}/detections_val.json',
    'test_dataloader.dataset.pipeline.1.ann_file': f'{labels}/detections_val.json',
}
box_maps = '{out:box_labels}'
weak_labels = dict(
    name='weak_labels',
    only_with=['train.panoptic.ann_file'],
    command=[
        'tools/dataset_converters/coco2weak.py',
        truth,
        *('--panoptic-dir', truth_maps, '--level', 'boxes', '--crop-tags', '{crop}'),
        *('--out', '{data_root}/{train.weak.boxes}', '--overwrite', '--keep-handmade'),
    ],
    inputs=[truth],
    outputs=['{data_root}/{train.weak.boxes}'],
)
# Full labels of a quarter of the images, boxes and tags of the others, which the pipelines
# of semi-supervision read. Another share is another --masks.
mixed_labels = dict(
    name='mixed_labels',
    type='command',
    command=[
        'tools/dataset_converters/mix_supervision.py',
        *(truth, '--panoptic-dir', truth_maps, '--masks', '25%', '--boxes', 'rest'),
        *('--seed', '0', '--crop-tags', '{crop}', '--out', mixed, '--overwrite'),
    ],
    inputs=[truth],
    outputs=[mixed],
)
# Stage 3: GrabCut and a proposal of every box.
from_boxes = [
    dict(name='proposals'),
    dict(
        name='box_labels',
        type='generate',
        config='{box_labels}',
        has_weights=False,
        artifact='semantic_maps',
        out=f'{labels}/box_labels',
        cfg_options={
            'pseudo_label_dataloader.dataset.pipeline.1.path': '{proposals}',
        },
    ),
]
# Stages 1, 2 and 4: Grad-CAM of the tags of crops, and the first labels.
from_tags = [
    dict(name='classifier', type='train', config='{classifier}'),
    dict(
        name='tag_labels',
        type='generate',
        config='{classifier}',
        out=f'{labels}/grad_cam',
    ),
    dict(
        name='first_labels',
        type='generate',
        config='{merged_labels}',
        has_weights=False,
        out=f'{labels}/weak_panoptic_round0.json',
        cfg_options={
            'pseudo_label_dataloader.dataset.pipeline.1.folder': '{out:tag_labels}',
            'pseudo_label_dataloader.dataset.pipeline.2.folder': box_maps,
        },
    ),
]
first_quality = dict(
    name='first_quality',
    type='quality',
    only_with=['train.panoptic.ann_file'],
    pseudo='{out:first_labels}',
    gt=truth,
    gt_seg_dir=truth_maps,
)
# Stages 5 and 6: the semantic network, trained anew on the labels of the round before, and
# the labels of the next round. After five rounds
# things no longer come from the box label maps alone.
refinement = dict(
    name='refinement',
    type='rounds',
    rounds='{num_rounds}',
    first=dict(labels='{out:first_labels}'),
    stages=[
        dict(
            name='network',
            type='train',
            config='{network}',
            cfg_options={
                'train_dataloader.dataset.pipeline.1.ann_file': '{previous:labels}',
                'pseudo_label_dataloader.dataset.pipeline.2.folder': box_maps,
            },
        ),
        dict(
            name='network_test',
            type='test',
            config='{network}',
            only_with=['val.panoptic.ann_file'],
        ),
        dict(
            name='labels',
            type='generate',
            config='{network}',
            artifact='panoptic_maps',
            out=f'{labels}/weak_panoptic_round{{round}}.json',
            cfg_options={
                'pseudo_label_dataloader.dataset.pipeline.2.folder': box_maps,
            },
        ),
        dict(
            name='label_quality',
            type='quality',
            only_with=['train.panoptic.ann_file'],
            pseudo='{out:labels}',
            gt=truth,
            gt_seg_dir=truth_maps,
        ),
    ],
    from_round={6: dict(labels={'model.test_cfg.refinement.merge': False})},
)
# Stage 7: a detector on the boxes.
from_detector = [
    dict(name='detector', type='train', config='{detector}'),
    dict(
        name='detector_test',
        type='test',
        config='{detector}',
        only_with=['val.ann_file'],
    ),
    dict(
        name='detections',
        type='generate',
        config='{detector}',
        out=f'{labels}/detections_train.json',
    ),
    dict(
        name='val_detections',
        type='generate',
        artifact='detections',
        only_with=['val.ann_file'],
        config='{detector}',
        out=f'{labels}/detections_val.json',
        cfg_options={
            'pseudo_label_dataloader.dataset.ann_file': '{data_root}/{val.ann_file}',
            'pseudo_label_dataloader.dataset.data_prefix.img': '{data_root}/{val.img}',
        },
    ),
]
# Stage 8: both networks in one, trained end to end; the same untrained is the piecewise one.
final = [
    dict(
        name='piecewise_test',
        type='test',
        only_with=['val.panoptic.ann_file'],
        config='{instance_network}',
        checkpoint='{checkpoint:network}',
        cfg_options=detections,
    ),
    dict(
        name='instance_network',
        type='train',
        config='{instance_network}',
        cfg_options={
            'load_from': '{checkpoint:network}',
            'train_dataloader.dataset.pipeline.1.ann_file': '{out:labels}',
            **detections,
        },
    ),
    dict(
        name='instance_test',
        type='test',
        only_with=['val.panoptic.ann_file'],
        config='{instance_network}',
        cfg_options=detections,
    ),
    dict(
        name='pseudo_labels',
        type='generate',
        config='{instance_network}',
        out=f'{labels}/weak_panoptic.json',
        cfg_options=detections,
    ),
    dict(
        name='quality',
        only_with=['train.panoptic.ann_file'],
        pseudo='{out:pseudo_labels}',
        gt=truth,
        gt_seg_dir=truth_maps,
    ),
]
# MMDetection's Panoptic FPN on what they make of the training images.
final_model = [
    dict(name='final_model', config='{refined}'),
    dict(
        name='final_test',
        config='{refined}',
        only_with=['val.panoptic.ann_file'],
    ),
]
# The same two networks on the panoptic labels of the dataset.
full_labels = {
    'train_dataloader.dataset.pipeline.1.ann_file': truth,
    'train_dataloader.dataset.pipeline.1.seg_prefix': truth_maps,
}
full = [
    dict(
        name='full_network',
        type='train',
        config='{network}',
        work_dir='work_dirs/weak_panoptic_full/semantic_{name}',
        only_with=['train.panoptic.ann_file'],
        cfg_options=full_labels,
    ),
    dict(
        name='full_supervision',
        type='train',
        config='{instance_network}',
        work_dir='work_dirs/weak_panoptic_full/panoptic_{name}',
        only_with=['train.panoptic.ann_file'],
        cfg_options={
            'load_from': '{checkpoint:full_network}',
            **full_labels,
            **detections,
        },
    ),
    dict(
        name='full_test',
        type='test',
        config='{instance_network}',
        work_dir='work_dirs/weak_panoptic_full/panoptic_{name}',
        only_with=['train.panoptic.ann_file', 'val.panoptic.ann_file'],
        cfg_options=detections,
    ),
]
report = dict(
    name='report',
    weak='instance_test',
    quality='quality',
    table=dict(
        title='Both networks, piecewise and trained end to end',
        metrics=['PQ', 'PQ of things', 'PQ of stuff', 'AP^r_vol', 'mIoU'],
        rows=[
            dict(method='piecewise', labels='boxes and tags', test='piecewise_test'),
            dict(method='end to end', labels='boxes and tags', test='instance_test'),
            dict(method='end to end', labels='panoptic', test='full_test'),
        ],
    ),
)
stages = [
    weak_labels,
    mixed_labels,
    *from_boxes,
    *from_tags,
    first_quality,
    refinement,
    *from_detector,
    *final,
    *full,
    *final_model,
    report,
]
del labels, truth, truth_maps, mixed, detections, box_maps, weak_labels, mixed_labels
del from_boxes, from_tags, first_quality, refinement, from_detector, final, final_model
del full_labels, full, report
