"""What a model says of the artifacts that it makes."""

from typing import ClassVar


class ArtifactMaker:
    """Mixin of models that ``tools/generate_pseudo_labels.py`` runs.

    The bases of labelers and of end-to-end detectors have it. Any other model labels
    too (:class:`mmwsis.pseudo_labels.Labeler`); these refuse an artifact that they
    cannot make, before the first image.

    Attributes:
        artifacts: Kinds that ``predict`` can fill, the usual one first.
        unused_in_prediction: Prefixes of weights that prediction does not run.
        report_picture: ``dict(title=..., tool='tools/...')`` of a tool that draws
            intermediate maps for a pipeline's report, with ``artifact`` only where this
            is made, with ``needs`` only where the model's config has this part; or
            None.
    """

    artifacts: ClassVar[tuple[str, ...]] = ()
    unused_in_prediction: tuple[str, ...] = ()
    report_picture: ClassVar[dict[str, str] | None] = None
    _artifact: str | None = None

    @property
    def artifact(self) -> str | None:
        """Kind that generation has asked for.

        None outside of generation: a labeler then fills its usual kind, a final model
        all that is evaluated.

        Raises:
            ValueError: It is set to a kind that the model cannot make.
        """
        return self._artifact

    @artifact.setter
    def artifact(self, kind: str | None) -> None:
        if kind is not None:
            self.check_artifact(kind)
        self._artifact = kind

    @classmethod
    def check_artifact(cls, kind: str) -> None:
        """Refuse a kind that models of this class cannot make.

        Args:
            kind: Such as 'instances'.

        Raises:
            ValueError: It is none of ``artifacts``; the message names these.
        """
        if kind not in cls.artifacts:
            known = ', '.join(map(repr, cls.artifacts)) or 'none'
            raise ValueError(
                f'{cls.__name__} cannot make the artifact {kind!r}; it makes {known}. '
                "Correct the config's artifact, or --artifact."
            )
