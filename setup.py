"""Builds the C kernels; everything else about the package is in pyproject.toml.

Where no C compiler is, or where it fails, the package installs without them, and the reason is kept in
``not_built.txt`` for ``fastgmm.show_backend()``. With ``FASTGMM_REQUIRE_C=1`` a failure is an error, as in CI.
"""

import os
import sys
import sysconfig
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

FOLDER = "fastgmm/kernels/c"
# Builds without a GIL have no stable ABI.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
# `contract`, because kernels count on a·b + c being one instruction; never -ffast-math, which would switch the whole
# process to flush-to-zero when the extension is loaded.
FLAGS = {"msvc": ["/O2", "/std:c11"], "unix": ["-std=c11", "-O3", "-g0", "-ffp-contract=fast", "-fvisibility=hidden"]}


class BuildKernels(build_ext):
    """Build the extension, or leave the reason why not."""

    def build_extensions(self) -> None:
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS.get(self.compiler.compiler_type, FLAGS["unix"])
        super().build_extensions()

    def run(self) -> None:
        reasons = [Path(folder, "not_built.txt") for folder in self._folders()]
        for reason in reasons:
            reason.unlink(missing_ok=True)
        try:
            super().run()
        except (CCompilerError, ExecError, PlatformError) as error:
            if os.environ.get("FASTGMM_REQUIRE_C") == "1":
                raise
            sys.stderr.write(f"fastgmm is installed without its C kernels: {error}\n")
            self.extensions = []  # else the missing file would be looked for
            for reason in reasons:
                reason.parent.mkdir(parents=True, exist_ok=True)
                reason.write_text(f"{error}\n", encoding="utf-8")

    def _folders(self) -> list[str]:
        return [f"{self.build_lib}/{FOLDER}"] + ([FOLDER] if self.inplace else [])


setup(
    ext_modules=[
        Extension(
            "fastgmm.kernels.c._kernels",
            sources=sorted(glob(f"{FOLDER}/*.c")),
            depends=sorted(glob(f"{FOLDER}/*.h")),
            py_limited_api=STABLE_ABI,
        )
    ],
    cmdclass={"build_ext": BuildKernels},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
