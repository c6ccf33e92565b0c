# Weak panoptic on PASCAL VOC, its semantic network pretrained on COCO's boxes or, with --data
# voc_coco_full, on COCO's masks; on VOC's own boxes and, as the baseline, masks:
#   python tools/dataset_converters/coco2voc.py \
#       data/coco/annotations/panoptic_train2017.json --workers 8    # and val2017
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_coco.py
_base_ = './pipeline.py'

_truth = 'data/coco/annotations/panoptic_train2017_voc.json'
_boxes = 'data/coco/weak/boxes_panoptic_train2017_voc.json'
_coco = [
    dict(
        name='coco_weak_labels',
        type='command',
        command=[
            'tools/dataset_converters/coco2weak.py',
            _truth,
            *('--level', 'boxes', '--out', _boxes, '--overwrite', '--keep-handmade'),
        ],
        inputs=[_truth],
        outputs=[_boxes],
    ),
    dict(
        name='coco_proposals',
        type='generate',
        config='mmwsis::proposals/built-in_coco.py',
        has_weights=False,
        artifact='proposals',
        out='{coco_proposals}',
        cfg_options={
            'pseudo_label_dataloader.dataset.data_root': 'data/coco/',
            'pseudo_label_dataloader.dataset.ann_file': _boxes,
            'pseudo_label_dataloader.dataset.data_prefix.img': 'train2017/',
        },
    ),
    dict(
        name='coco_box_labels',
        type='generate',
        config='mmwsis::weak_panoptic/box-labels_coco.py',
        has_weights=False,
        artifact='panoptic_maps',
        out='data/coco/pseudo_labels/weak_panoptic_voc_round0.json',
        cfg_options={
            'pseudo_label_dataloader.dataset.pipeline.1.path': '{coco_proposals}',
        },
    ),
    dict(
        name='coco_network',
        type='train',
        config='mmwsis::weak_panoptic/semantic_pspnet-r101_coco.py',
        work_dir='work_dirs/weak_panoptic_{data}/coco_network',
        cfg_options={'train_dataloader.dataset.pipeline.1.ann_file': '{coco_labels}'},
    ),
]
# Both networks of VOC begin with these weights. Every training has a folder of its own, and
# labels have names of their own: those of pipeline.py begin with others.
_folder = 'work_dirs/weak_panoptic_{data}'
_made = '{data_root}/pseudo_labels/weak_panoptic_{data}'
_pretrained = {'load_from': '{checkpoint:coco_network}'}
_network = dict(work_dir=f'{_folder}/network/round{{round}}')
_instance_network = dict(work_dir=f'{_folder}/instance_network')
_full = dict(work_dir=f'{_folder}/full_supervision')
_final_model = dict(work_dir=f'{_folder}/final_model')
_changes = dict(
    network=dict(**_network, cfg_options=_pretrained),
    network_test=_network,
    labels=dict(**_network, out=f'{_made}_round{{round}}.json'),
    piecewise_test=dict(work_dir=f'{_folder}/piecewise'),
    instance_network=_instance_network,
    instance_test=_instance_network,
    pseudo_labels=dict(
        **_instance_network, artifact='panoptic_maps', out=f'{_made}.json'
    ),
    full_network=dict(work_dir=f'{_folder}/full_network', cfg_options=_pretrained),
    full_supervision=_full,
    full_test=_full,
    final_model=dict(
        **_final_model,
        cfg_options={
            'train_dataloader.dataset.ann_file': f'{_made}.json',
            'train_dataloader.dataset.data_prefix.seg': f'{_made}/',
        },
    ),
    final_test=_final_model,
)
_voc = dict(
    _base_.pipeline.data.voc_panoptic, coco_proposals='data/coco/proposals/built_in_voc'
)
pipeline = dict(
    dataset='mmwsis::_base_/datasets/{dataset}.py',
    data=dict(
        _delete_=True,
        voc_coco_weak=dict(
            _voc,
            dataset='voc_panoptic',
            title='VOC 2012 after boxes of COCO',
            coco_labels='{out:coco_box_labels}',
        ),
        voc_coco_full=dict(
            _voc,
            dataset='voc_panoptic',
            title='VOC 2012 after masks of COCO',
            coco_labels=_truth,
            without=['coco_proposals', 'coco_box_labels'],
        ),
    ),
    stages=[*_coco, *_base_.pipeline.stages],
    changes=_changes,
)
del _truth, _boxes, _coco, _folder, _made, _pretrained, _network, _instance_network
del _full, _final_model, _changes, _voc
