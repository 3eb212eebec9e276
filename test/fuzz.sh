#!/usr/bin/env bash
# Fuzzes every target for a time (five minutes each unless told otherwise), two at
# once. A crash leaves its input in the package's testdata, and ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

each=${1:-5m}
grep -rhoE --include='*_test.go' '^func Fuzz\w+' . | awk '{print $2}' | sort |
	while read -r target; do
		package=$(dirname "$(grep -rlE --include='*_test.go' "^func $target\(" .)")
		echo "$target $package"
	done |
	xargs -P 2 -L 1 bash -o pipefail -c 'echo "== $0 in $1"; go test -run "^$" -fuzz "^$0\$" -fuzztime "'"$each"'" -parallel 1 "$1" | tail -1'
