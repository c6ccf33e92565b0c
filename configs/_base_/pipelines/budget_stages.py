# The same hours bought as tags, points or masks, and a network trained on each (WISE, Table
# 2). `data` of a pipeline says `seconds`, the hours; `network` and `tag_network`, WISE from
# points and from tags; `classifier`, which makes points of tags; `final_model`, the network
# that is trained on masks; `proposals` and `min_score` as in wise_stages.py.
labels = '{data_root}/budget'
measured = {
    'val_dataloader.dataset.pipeline.1.path': '{proposals}_val',
    'test_dataloader.dataset.pipeline.1.path': '{proposals}_val',
    'model.test_cfg.cand_min_score': '{min_score}',
}
# Where the images to label stand, too: a run wants all that its config names.
trained = {
    'train_dataloader.dataset.pipeline.1.path': '{proposals}',
    'pseudo_label_dataloader.dataset.pipeline.1.path': '{proposals}',
    'train_dataloader.dataset.pipeline.5.cand_min_score': '{min_score}',
    **measured,
}
# Peaks take the place of clicks, in the images that are measured on, too.
of_val_peaks = {
    'val_dataloader.dataset.pipeline.2.ann_file': '{out:val_tag_points}',
    'test_dataloader.dataset.pipeline.2.ann_file': '{out:val_tag_points}',
}
stages = [
    dict(
        name='budget',
        type='command',
        command=[
            'tools/dataset_converters/annotation_budget.py',
            '{data_root}/{train.ann_file}',
            *('--seconds', '{seconds}', '--levels', 'image_tags', 'points', 'masks'),
            *('--out-dir', labels, '--overwrite'),
        ],
        inputs=['{data_root}/{train.ann_file}'],
        outputs=[
            f'{labels}/image_tags_train.json',
            f'{labels}/points_train.json',
            f'{labels}/masks_train.json',
        ],
    ),
    # Of all images: tags of all of them are what the hours buy.
    dict(
        name='proposals',
        cfg_options={
            'pseudo_label_dataloader.dataset.data_root': '{data_root}',
            'pseudo_label_dataloader.dataset.ann_file': (
                f'{labels}/image_tags_train.json'
            ),
            'pseudo_label_dataloader.dataset.data_prefix.img': (
                '{data_root}/{train.img}'
            ),
        },
    ),
    dict(name='val_proposals'),
    # Points.
    dict(
        name='points_network',
        type='train',
        config='{network}',
        work_dir='work_dirs/{name}/points',
        cfg_options={
            'train_dataloader.dataset.ann_file': f'{labels}/points_train.json',
            'pseudo_label_dataloader.dataset.ann_file': f'{labels}/points_train.json',
            **trained,
        },
    ),
    dict(name='points_test', type='test', config='{network}', cfg_options=measured),
    # Tags, which a classifier makes points of.
    dict(
        name='classifier',
        type='train',
        config='{classifier}',
        work_dir='work_dirs/{name}/classifier',
        cfg_options={
            'train_dataloader.dataset.ann_file': f'{labels}/image_tags_train.json',
            'pseudo_label_dataloader.dataset.ann_file': (
                f'{labels}/image_tags_train.json'
            ),
        },
    ),
    dict(
        name='tag_points',
        type='generate',
        config='{classifier}',
        artifact='points',
        out='{data_root}/pseudo_labels/{name}_points.json',
        cfg_options={
            'pseudo_label_dataloader.dataset.ann_file': (
                f'{labels}/image_tags_train.json'
            ),
        },
    ),
    dict(
        name='val_tag_points',
        type='generate',
        config='{classifier}',
        artifact='points',
        out='{data_root}/pseudo_labels/{name}_points_val.json',
        cfg_options={
            'pseudo_label_dataloader.dataset.ann_file': '{data_root}/{val.ann_file}',
            'pseudo_label_dataloader.dataset.data_prefix.img': '{data_root}/{val.img}',
            'model.test_cfg.classes': 'predicted',
        },
    ),
    dict(
        name='tags_network',
        type='train',
        config='{tag_network}',
        work_dir='work_dirs/{name}/tags',
        cfg_options={
            'train_dataloader.dataset.ann_file': f'{labels}/image_tags_train.json',
            'train_dataloader.dataset.pipeline.2.ann_file': '{out:tag_points}',
            'pseudo_label_dataloader.dataset.ann_file': (
                f'{labels}/image_tags_train.json'
            ),
            'pseudo_label_dataloader.dataset.pipeline.2.ann_file': '{out:tag_points}',
            **trained,
            **of_val_peaks,
        },
    ),
    dict(
        name='tags_test',
        type='test',
        config='{tag_network}',
        cfg_options={**measured, **of_val_peaks},
    ),
    # Masks.
    dict(
        name='masks_network',
        type='train',
        config='mmwsis::final_models/{final_model}',
        work_dir='work_dirs/{name}/masks',
        cfg_options={
            'train_dataloader.dataset.ann_file': f'{labels}/masks_train.json',
        },
    ),
    dict(name='masks_test', type='test', config='mmwsis::final_models/{final_model}'),
    dict(
        name='report',
        weak='points_test',
        full=None,
        quality=None,
        table=dict(
            title='The same hours of annotation',
            metrics=['AP25', 'AP50', 'AP75'],
            rows=[
                dict(
                    method='Mask R-CNN',
                    labels='masks',
                    file=f'{labels}/masks_train.json',
                    test='masks_test',
                    paper=[17.1, 11.2, 3.4],
                ),
                dict(method='SPN', labels='image tags', paper=[26.0, 13.0, 4.0]),
                dict(method='PRM', labels='image tags', paper=[44.0, 27.0, 9.0]),
                dict(
                    method='Cholakkal et al.',
                    labels='image tags',
                    paper=[48.5, 30.2, 14.4],
                ),
                dict(
                    method='PRM + E-Net',
                    labels='image tags',
                    file=f'{labels}/image_tags_train.json',
                    test='tags_test',
                    paper=[43.0, 32.0, 19.0],
                ),
                dict(
                    method='WISE',
                    labels='points',
                    file=f'{labels}/points_train.json',
                    test='points_test',
                    paper=[47.5, 38.1, 23.5],
                ),
            ],
        ),
    ),
]
del labels, measured, trained, of_val_peaks
