"""What a model says of the artifacts that it makes."""

from typing import ClassVar


class ArtifactMaker:
    """Mixin of models that ``tools/generate_pseudo_labels.py`` runs.

    The base classes of labelers and of end-to-end detectors have it. Any other model
    labels too (:class:`mmwsis.pseudo_labels.Labeler`); this one refuses an artifact
    that it cannot make, before the first image.

    Attributes:
        artifacts: Kinds that ``predict`` can fill, the usual one first.
        unused_in_prediction: Prefixes of weights that prediction does not run.
        report_picture: ``dict(title=..., tool='tools/...')`` of a tool that draws
            intermediate maps for a pipeline's report, or None.
    """

    artifacts: ClassVar[tuple[str, ...]] = ()
    unused_in_prediction: tuple[str, ...] = ()
    report_picture: ClassVar[dict[str, str] | None] = None
    _artifact: str | None = None

    @property
    def artifact(self) -> str | None:
        """Kind that ``predict`` fills now; at first the usual one.

        Raises:
            ValueError: It is set to a kind that the model cannot make.
        """
        return self._artifact or next(iter(self.artifacts), None)

    @artifact.setter
    def artifact(self, kind: str) -> None:
        if kind not in self.artifacts:
            known = ', '.join(map(repr, self.artifacts)) or 'none'
            raise ValueError(
                f'{type(self).__name__} cannot make the artifact {kind!r}; it makes '
                f"{known}. Set the config's artifact, or --artifact."
            )
        self._artifact = kind
