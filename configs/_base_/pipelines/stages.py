# Stages that the pipelines share, by name. A pipeline file lists them in its order, with
# its method's own; `dict(name='quality', pseudo=...)` adds to what stands here.
pipeline = dict(
    common=dict(
        weak_labels=dict(
            type='command',
            only_with=['train.ann_file'],
            command=[
                'tools/dataset_converters/coco2weak.py',
                '{data_root}/{train.ann_file}',
                *('--level', '{supervision}'),
                *('--out', '{data_root}/{train.weak.{supervision}}', '--overwrite'),
                # Masks may be there to measure with, beside clicks of people.
                '--keep-handmade',
            ],
            inputs=['{data_root}/{train.ann_file}'],
            outputs=['{data_root}/{train.weak.{supervision}}'],
        ),
        # What stages on tags read in a pipeline from points: of the masks, if there are
        # any, as in a pipeline from tags, or else of the points.
        tags=dict(
            type='command',
            only_with=['train.ann_file'],
            command=[
                'tools/dataset_converters/coco2weak.py',
                '{data_root}/{train.ann_file}',
                *('--level', 'image_tags'),
                *('--out', '{data_root}/{train.weak.image_tags}', '--overwrite'),
                '--keep-handmade',
            ],
            inputs=['{data_root}/{train.ann_file}'],
            outputs=['{data_root}/{train.weak.image_tags}'],
        ),
        tags_of_points=dict(
            type='command',
            only_without=['train.ann_file'],
            command=[
                'tools/dataset_converters/coco2weak.py',
                '{data_root}/{train.weak.points}',
                *('--level', 'image_tags'),
                *('--out', '{data_root}/{train.weak.image_tags}', '--overwrite'),
                '--keep-handmade',
            ],
            inputs=['{data_root}/{train.weak.points}'],
            outputs=['{data_root}/{train.weak.image_tags}'],
        ),
        # Class-agnostic masks of the training images, and of those that are measured on, by
        # the built-in generator. Those of another method are imported (docs/proposals.md).
        proposals=dict(
            type='generate',
            config='mmwsis::proposals/built-in_coco.py',
            has_weights=False,
            artifact='proposals',
            out='{proposals}',
            cfg_options={
                'pseudo_label_dataloader.dataset.data_root': '{data_root}',
                'pseudo_label_dataloader.dataset.ann_file': (
                    '{data_root}/{train.weak.{supervision}}'
                ),
                'pseudo_label_dataloader.dataset.data_prefix.img': (
                    '{data_root}/{train.img}'
                ),
            },
        ),
        val_proposals=dict(
            type='generate',
            config='mmwsis::proposals/built-in_coco.py',
            has_weights=False,
            artifact='proposals',
            out='{proposals}_val',
            only_with=['val.ann_file'],
            cfg_options={
                'pseudo_label_dataloader.dataset.data_root': '{data_root}',
                'pseudo_label_dataloader.dataset.ann_file': (
                    '{data_root}/{val.ann_file}'
                ),
                'pseudo_label_dataloader.dataset.data_prefix.img': (
                    '{data_root}/{val.img}'
                ),
            },
        ),
        # How many objects they find.
        proposal_recall=dict(
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{proposals}',
            gt='{data_root}/{train.ann_file}',
        ),
        quality=dict(
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{out:pseudo_labels}',
            gt='{data_root}/{train.ann_file}',
            img_dir='{data_root}/{train.img}',
        ),
        # The same of semantic maps, and of the points that a network found.
        map_quality=dict(
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{semantic_maps}',
            gt='{data_root}/{train.ann_file}',
            img_dir='{data_root}/{train.img}',
        ),
        cue_quality=dict(
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{out:cues}',
            gt='{data_root}/{train.ann_file}',
            img_dir='{data_root}/{train.img}',
        ),
        # A network that learns instances from semantic maps and cues. Further rounds train
        # it again, from its first weights, on its own maps and instances.
        training=dict(
            type='rounds',
            rounds=1,
            first=dict(next_maps='{semantic_maps}', next_cues='{out:cues}'),
            stages=[
                dict(name='network'),
                dict(name='network_test'),
                dict(name='next_maps'),
                dict(name='next_cues'),
            ],
            for_next=['next_maps', 'next_cues'],
            # Instances have lower scores than cues.
            from_round={
                2: dict(network={'train_dataloader.dataset.pipeline.2.score_thr': 0.3}),
            },
        ),
        network=dict(
            type='train',
            config='{network}',
            cfg_options={
                'train_dataloader.dataset.pipeline.1.folder': '{previous:next_maps}',
                'train_dataloader.dataset.pipeline.2.ann_file': '{previous:next_cues}',
            },
        ),
        network_test=dict(type='test', config='{network}', only_with=['val.ann_file']),
        next_maps=dict(
            type='generate',
            config='{network}',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/{own_labels}_semantic_round{round}',
        ),
        next_cues=dict(
            type='generate',
            config='{network}',
            artifact='points',
            out='{data_root}/pseudo_labels/{own_labels}_cues_round{round}.json',
        ),
        # The method's own, and the same model on the dataset's masks.
        final_model=dict(type='train', config='{final_model}'),
        final_test=dict(
            type='test', config='{final_model}', only_with=['val.ann_file']
        ),
        full_supervision=dict(
            type='train',
            config='mmwsis::final_models/{final_model}',
            only_with=['train.ann_file'],
        ),
        full_test=dict(
            type='test',
            config='mmwsis::final_models/{final_model}',
            only_with=['train.ann_file', 'val.ann_file'],
        ),
        report=dict(
            type='report', weak='final_test', full='full_test', quality='quality'
        ),
    ),
)
