#!/bin/sh
# Fuzz every target for SECONDS each: tests/fuzz/run.sh SECONDS [TARGET...]
# Needs the extra `fuzz`; PYTHON names the interpreter.
set -eu
seconds=${1:?usage: run.sh SECONDS [TARGET...]}
shift
here=$(dirname "$0")
python=${PYTHON:-python3}
[ $# -gt 0 ] || set -- document frames swaig templates ai sdp sip calls streams audiosocket
failed=0
for target in "$@"; do
	"$python" "$here/run.py" "$target" "$seconds" || failed=1
done
exit $failed
