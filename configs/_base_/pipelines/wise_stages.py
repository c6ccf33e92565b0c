# Stages of WISE, of all sizes. `data` of a pipeline says `network`, `refined`, `final_model`
# and `weak`, the test that the report compares; `proposals`, the folder of the training
# images' proposals (those of the images that are measured on lie beside it, in a folder whose
# name ends in `_val`), and `min_score`, above which one may take the place of a region.
measured = {
    'val_dataloader.dataset.pipeline.1.path': '{proposals}_val',
    'test_dataloader.dataset.pipeline.1.path': '{proposals}_val',
    'model.test_cfg.cand_min_score': '{min_score}',
}
stages = [
    dict(name='weak_labels'),
    dict(name='proposals'),
    dict(name='val_proposals'),
    dict(name='proposal_recall'),
    dict(
        name='network',
        cfg_options={
            'train_dataloader.dataset.pipeline.1.path': '{proposals}',
            **measured,
        },
    ),
    dict(name='network_test', cfg_options=measured),
    dict(
        name='pseudo_labels',
        type='generate',
        config='{network}',
        out='{data_root}/pseudo_labels/wise.json',
        cfg_options={
            'pseudo_label_dataloader.dataset.pipeline.1.path': '{proposals}',
            'model.test_cfg.cand_min_score': '{min_score}',
        },
    ),
    dict(name='quality'),
    dict(name='final_model', config='{refined}'),
    dict(name='final_test', config='{refined}'),
    dict(name='full_supervision'),
    dict(name='full_test'),
    dict(name='report', weak='{weak}'),
]
del measured
