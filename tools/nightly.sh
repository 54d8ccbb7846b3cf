#!/usr/bin/env bash
# What takes too long for every change: a real Asterisk, long fuzzing, many simulated calls, the
# exhaustive tests. Root, for the chroot of Asterisk. Uses the environment that is active.
#
#   tools/nightly.sh [DIR]              DIR: where Asterisk is, or is put (540 MB, once)
#
#   FUZZ_SECONDS=60   per target        SIMULATED=20000   calls of the simulator
#   ONLY="asterisk fuzz"                some of: asterisk slow simulate fuzz
set -uo pipefail
cd "$(dirname "$0")/.."
root=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/mediacore/asterisk}
python=${PYTHON:-python3}
failed=()

asterisk() {
	tools/install_peers.sh && mkdir -p "$root" && tools/install_peers.sh asterisk "$root" &&
		MEDIACORE_ASTERISK=$root "$python" -m pytest -q tests/integration/test_asterisk.py
}

slow() { "$python" -m pytest -q -m slow --timeout 600; }

simulate() { "$python" -m mediacore simulate --runs "${SIMULATED:-20000}"; }

fuzz() { PYTHON=$python tests/fuzz/run.sh "${FUZZ_SECONDS:-60}"; }

for job in ${ONLY:-asterisk slow simulate fuzz}; do
	printf '\n== %s (%ss)\n' "$job" "$SECONDS"
	"$job" || failed+=("$job")
done
printf '\n== %s (%ss)\n' "${failed[*]:+failed: }${failed[*]:-all passed}" "$SECONDS"
[ "${#failed[@]}" -eq 0 ]
