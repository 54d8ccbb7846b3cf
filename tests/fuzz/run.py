"""Fuzz one target with Atheris (coverage-guided): `python tests/fuzz/run.py TARGET SECONDS`.

The corpus begins with `seeds.py` and is kept in build/fuzz/TARGET; what crashes is left there as
crash-*, and the exit code is not 0. `python tests/fuzz/run.py TARGET FILE` runs one input again.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_TESTS))
HOME = _TESTS.parent / "build" / "fuzz"
MAX_LEN = 16_384
INPUT_S = 20
"""Longer for one input is a finding."""
MEMORY_MB = 2048
_RUNS = re.compile(r"Done (\d+) runs in")


def prepare(target: str) -> tuple[Path, Path]:
    """Corpus directory and dictionary file of a target."""
    from fuzz.seeds import dictionary, seeds

    corpus = HOME / target / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    words = HOME / target / "words.dict"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in dictionary(target))
    words.write_text("".join(f'"{line}"\n' for line in lines))
    return corpus, words


def fuzz(target: str, options: list[str]) -> None:
    """Run the fuzzer in this process; it does not return."""
    import atheris

    with atheris.instrument_imports(include=["mediacore"]):
        from fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


def main(target: str, what: str) -> int:
    """Run for so many seconds, or one file."""
    if not what.isdigit():
        from fuzz.targets import TARGETS

        TARGETS[target](Path(what).read_bytes())
        return 0
    corpus, words = prepare(target)
    options = [
        f"-max_total_time={what}",
        f"-max_len={MAX_LEN}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-dict={words}",
        f"-artifact_prefix={HOME / target}/",
        "-print_final_stats=1",
        str(corpus),
    ]
    log = HOME / target / "log.txt"
    began = time.monotonic()
    with log.open("w") as out:
        done = subprocess.run(
            [sys.executable, __file__, target, "--child", *options],
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = log.read_text(errors="replace")
    found = _RUNS.search(text)
    runs = int(found[1]) if found else 0
    seconds = time.monotonic() - began
    print(f"{target}: {runs} runs, {runs / seconds:.0f}/s, exit {done.returncode}", flush=True)
    if done.returncode:
        print(text[-6000:])
    return done.returncode


if __name__ == "__main__":
    if sys.argv[2] == "--child":
        fuzz(sys.argv[1], sys.argv[3:])
    sys.exit(main(sys.argv[1], sys.argv[2]))
