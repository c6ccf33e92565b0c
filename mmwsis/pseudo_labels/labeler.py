"""What label generation asks of a model."""

from typing import Any, Protocol

from mmengine.structures import BaseDataElement


class Labeler(Protocol):
    """A model that ``tools/generate_pseudo_labels.py`` can run: an MMEngine model.

    There is nothing to inherit and nothing to register but the model itself;
    ``mmwsis.models.labelers.BaseLabeler`` and ``WeightFreeLabeler`` and
    ``mmwsis.models.detectors.EndToEndDetector`` have what such models share. Any
    ``mmengine.model.BaseModel`` whose ``predict`` returns its samples in the order of
    the batch, with the metainfo of the data pipeline, is one; so is every detector of
    MMDetection (artifact 'instances') and every segmentor that fills ``pred_sem_seg``
    ('semantic_maps').

    The config's ``artifact`` says what a run makes, and so which fields are read:

    ================ ======== =========================================================
    artifact         sample   fields that ``predict`` fills
    ================ ======== =========================================================
    'object_masks'   an anno- metainfo ``pred_mask`` (compressed RLE of image size),
    (default)        tation   ``pred_score`` (0 to 1), ``empty_prediction``; needs
                              metainfo ``ann_id``, ``img_id``, ``height``, ``width``
    'object_masks'   an image ``pred_instances``: ``ann_ids``, ``masks`` (RLEs) and
                              ``scores`` of all its annotations; with ``refine=True``
                              also ``accepted``
    'instances'      an image ``pred_instances``: ``labels`` (N,), ``scores`` (N,) in
                              [0, 1], ``masks`` bool (N, H, W) or N RLEs
    'detections'     an image ``pred_instances``: ``labels``, ``scores``, ``bboxes``
                              (N, 4), x0, y0, x1, y1
    'points'         an image ``pred_points``: InstanceData with ``labels`` (N,),
                              ``points`` (N, 2), (x, y), ``scores`` (N,) in [0, 1]
    'class_maps'     an image ``pred_class_maps``: InstanceData with ``labels`` (K,),
                              ascending, and maps (K, ...) under names of your choice;
                              optionally ``pred_tag_logits`` (C,), of every class
    'semantic_maps'  an image ``pred_sem_seg.sem_seg`` integers (1, H, W); 0 is
                              the background, ``k + 1`` class ``k``, 255 unknown
    'panoptic_maps'  an image ``pred_panoptic_seg.sem_seg`` integers (1, H, W), ``label
                              + 1000 * instance``, the number of classes unknown;
                              optionally ``pred_segments``: InstanceData with
                              ``codes`` (S,), values of the map, and ``scores`` (S,)
    'proposals'      an image ``pred_proposals``: InstanceData with ``scores`` (N,) in
                              [0, 1] and ``masks`` bool (N, H, W) or N RLEs; no classes
    ================ ======== =========================================================

    Masks and maps of pixels have the size of the original image, points are pixels of
    it. ``labels`` are indices into ``metainfo['classes']`` of the dataset; category ids
    are found by name. Images are known by the metainfo ``img_id``.

    Optional attributes:

    - ``artifact``: is set to the kind before the first batch, so that a model that can
      make several leaves out the work for the others.
    - ``check_artifact`` (of the class): is called with the kind before anything is
      written, to refuse one that the model cannot make.
    - ``cpu_only``: a model that computes on the CPU alone labels in the processes that
      load its images, ``num_workers`` of ``pseudo_label_dataloader``.
    - ``find_weights`` (of the class): of a model whose config names its weights, which
      no training here made (SAM). It is called with the rest of the config's ``model``
      and returns ``checkpoint``, a name, and ``checkpoint_sha256``, which generation
      records; it is run without a checkpoint.
    - ``unused_in_prediction``: prefixes of weights that prediction does not run; a
      checkpoint may lack them. All others must be there.
    - ``report_picture`` (of the class): ``dict(title=..., tool='tools/...')``, a tool
      that draws intermediate maps, called with CONFIG CHECKPOINT --out FILE
      [--dataset FILE] [--cfg-options ...]; its figure goes into a pipeline's report.
      With ``artifact`` only into that of a stage that makes this kind.
    """

    def test_step(self, data: dict[str, Any]) -> list[BaseDataElement]:
        """Predict one batch; ``mmengine.model.BaseModel`` has it.

        Args:
            data: ``inputs`` and ``data_samples``, lists, as the data pipeline packs
                them.

        Returns:
            The samples, in order, with the artifact's fields.
        """
        ...
