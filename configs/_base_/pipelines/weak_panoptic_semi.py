# Weak panoptic with full labels of a quarter of the images: what it changes in the stages of
# weak_panoptic_stages.py.
#
# Stages that learn from boxes and tags alone are those of the weak pipeline; where it has run,
#   --adopt weak_labels proposals box_labels classifier tag_labels detector detections val_detections
# takes them over. What has learned from full labels has files and folders of its own.
made = '{data_root}/pseudo_labels/weak_panoptic_semi'
folder = 'work_dirs/weak_panoptic_semi/{name}'
# Of stages that label.
full_labels = {
    'wsis.supervision': 'masks',
    'pseudo_label_dataloader.dataset.supervision': 'masks',  # most images see less
    'pseudo_label_dataloader.dataset.ann_file': '{out:mixed_labels}',
    'pseudo_label_dataloader.dataset.pipeline.4.ann_file': (
        '{data_root}/{train.panoptic.ann_file}'
    ),
    'pseudo_label_dataloader.dataset.pipeline.4.seg_prefix': (
        '{data_root}/{train.panoptic.seg}'
    ),
}
network = dict(work_dir=f'{folder}/network/round{{round}}')
instance_network = dict(work_dir=f'{folder}/instance_network')
changes = dict(
    first_labels=dict(
        artifact='panoptic_maps', out=f'{made}_round0.json', cfg_options=full_labels
    ),
    network=network,
    network_test=network,
    labels=dict(**network, out=f'{made}_round{{round}}.json', cfg_options=full_labels),
    piecewise_test=dict(work_dir=f'{folder}/piecewise'),
    instance_network=instance_network,
    instance_test=instance_network,
    pseudo_labels=dict(
        **instance_network, artifact='panoptic_maps', out=f'{made}.json'
    ),
)
# The baseline with full labels of all images is the weak pipeline's.
without = ['full_network', 'full_supervision', 'full_test', 'final_model', 'final_test']
del made, folder, full_labels, network, instance_network
