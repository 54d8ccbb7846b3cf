"""The one extension: the Cython binding together with the C core.

MC_DEBUG=1 compiles the contract checks and the live-object counters in. CFLAGS reaches the
compiler and the linker (sanitizers); an -O level there replaces the one below.
"""

import os
import re
import sys
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

env_flags = os.environ.get("CFLAGS", "")
compile_args = ["-std=c11", "-fvisibility=hidden"]
if not re.search(r"(^|\s)-O", env_flags):
    compile_args.append("-O3")

debug = os.environ.get("MC_DEBUG", "") not in ("", "0")
macros: list[tuple[str, str | None]] = [("_GNU_SOURCE", None)]
if debug:
    macros.append(("MC_DEBUG", None))

core = Extension(
    "mediacore._core._core",
    sources=["src/mediacore/_core/_core.pyx", *sorted(glob("csrc/mc_*.c"))],
    depends=sorted(glob("csrc/*.h") + glob("csrc/include/*.h")),
    include_dirs=["csrc", "csrc/include"],
    define_macros=macros,
    undef_macros=["NDEBUG"] if debug else [],
    extra_compile_args=compile_args,
    extra_link_args=["-pthread"],
    libraries=["m", "dl"] if sys.platform.startswith("linux") else ["m"],
)

setup(
    ext_modules=cythonize(
        [core],
        build_dir="build/cython",
        compiler_directives={"language_level": 3, "embedsignature": True},
    )
)
