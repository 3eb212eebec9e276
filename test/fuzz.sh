#!/usr/bin/env bash
# Fuzzes every target for a time (five minutes each unless told otherwise), two at
# once. A crash leaves its input in the package's testdata, and ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

each=${1:-5m}
# Two packages may have a target of the same name.
grep -roE --include='*_test.go' '^func Fuzz\w+' . | sed -E 's|^(.*)/[^/]*:func (.*)$|\2 \1|' | sort |
	xargs -P 2 -L 1 bash -o pipefail -c 'echo "== $0 in $1"; go test -run "^$" -fuzz "^$0\$" -fuzztime "'"$each"'" -parallel 1 "$1" | tail -1'
