# EXITS on synthetic scenes, every stage in order: python tools/run_pipeline.py configs/exits/pipeline_synthetic.py
_base_ = '../_base_/datasets/synthetic.py'

# Overrides of --fast: it shows that every stage works, and nothing else.
one_process = {
    f'{loader}.{key}': value
    for loader in ('val_dataloader', 'test_dataloader')
    for key, value in (('num_workers', 0), ('persistent_workers', False))
}
label_in_one_process = {
    'pseudo_label_dataloader.num_workers': 0,
    'pseudo_label_dataloader.persistent_workers': False,
}
few_iterations = {
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
    'default_hooks.logger.interval': 1,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
}
from_mae = {
    'wsis.requires.1.path': '{checkpoint:mae}',
    'model.network.encoder.init_cfg.checkpoint': '{checkpoint:mae}',
}
from_extractor = {
    'wsis.requires.2.path': '{checkpoint:similarity_extractor}',
    'model.similarity_extractor.init_cfg.checkpoint': '{checkpoint:similarity_extractor}',
}

pipeline = dict(
    name='exits_synthetic',
    title='EXITS on synthetic scenes',
    work_dir='work_dirs/pipelines/exits_synthetic',
    stages=[
        dict(
            name='scenes',
            type='command',
            only_with=['generator'],
            command=[
                'tools/dataset_converters/make_synthetic.py',
                '--out',
                'data/synthetic',
            ],
            outputs=[
                'data/synthetic/annotations/instances_train.json',
                'data/synthetic/annotations/instances_val.json',
            ],
        ),
        dict(
            name='weak_labels',
            type='command',
            only_with=['train.ann_file'],
            command=[
                'tools/dataset_converters/coco2weak.py',
                '{data_root}/{train.ann_file}',
                '--level',
                'extreme_points',
                '--out',
                '{data_root}/{train.weak.extreme_points}',
                '--overwrite',
            ],
            inputs=['{data_root}/{train.ann_file}'],
            outputs=['{data_root}/{train.weak.extreme_points}'],
        ),
        dict(
            name='mae',
            type='train',
            config='mae_vit-tiny_synthetic.py',
        ),
        dict(
            name='similarity_extractor',
            type='train',
            config='similarity-extractor_vit-tiny_synthetic.py',
        ),
        dict(
            name='labeler',
            type='train',
            config='labeler_vit-tiny_synthetic.py',
        ),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-tiny_synthetic.py',
            out='{data_root}/pseudo_labels/exits.json',
        ),
        dict(
            name='quality',
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{data_root}/pseudo_labels/exits.json',
            gt='{data_root}/{train.ann_file}',
            img_dir='{data_root}/{train.img}',
        ),
        dict(
            name='final_model',
            type='train',
            config='solov2_r18_synthetic.py',
        ),
        dict(
            name='final_test',
            type='test',
            only_with=['val.ann_file'],
            config='solov2_r18_synthetic.py',
        ),
        dict(
            name='full_supervision',
            type='train',
            only_with=['train.ann_file'],
            config='../fully_supervised/solov2_r18_synthetic.py',
        ),
        dict(
            name='full_test',
            type='test',
            only_with=['train.ann_file', 'val.ann_file'],
            config='../fully_supervised/solov2_r18_synthetic.py',
        ),
        dict(
            name='report',
            type='report',
            weak='final_test',
            full='full_test',
            quality='quality',
        ),
    ],
    fast=dict(
        root='work_dirs/fast',
        scenes=dict(
            command=[
                'tools/dataset_converters/make_synthetic.py',
                *('--out', 'data/synthetic', '--train', '12', '--val', '4'),
            ],
        ),
        mae=few_iterations,
        similarity_extractor={**few_iterations, **one_process, **from_mae},
        labeler={**few_iterations, **one_process, **from_mae, **from_extractor},
        pseudo_labels=label_in_one_process,
        final_model={**few_iterations, **one_process},
        final_test=one_process,
        full_supervision={**few_iterations, **one_process},
        full_test=one_process,
    ),
)
