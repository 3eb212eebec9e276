#!/usr/bin/env bash
# Installs the real servers, the linters and the accessibility checks that the tests
# use, at pinned versions, into $SLUICE_TOOLS. What is there at the right version stays.
set -euo pipefail

tools=${SLUICE_TOOLS:-$HOME/.cache/sluice-tools}
mkdir -p "$tools"

install() { # NAME PACKAGE@VERSION
	local name=$1 package=$2
	if [ -x "$tools/$name" ] && [ "$(cat "$tools/$name.version" 2>/dev/null)" = "$package" ]; then
		return
	fi
	echo "installing $package"
	(cd / && GOBIN=$tools GOFLAGS= CGO_ENABLED=0 go install "$package")
	echo "$package" >"$tools/$name.version"
}

install gofumpt mvdan.cc/gofumpt@v0.12.0
install staticcheck honnef.co/go/tools/cmd/staticcheck@v0.8.2
install versitygw github.com/versity/versitygw/cmd/versitygw@v1.8.0
install minio github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
install rclone github.com/rclone/rclone@v1.75.1
install helm helm.sh/helm/v4/cmd/helm@v4.3.1

axe=axe-core@4.14.1
if [ ! -f "$tools/axe.min.js" ] || [ "$(cat "$tools/axe.min.js.version" 2>/dev/null)" != "$axe" ]; then
	echo "installing $axe"
	fetched=$(mktemp -d)
	(cd "$fetched" && npm pack --silent "$axe" >/dev/null && tar xzf axe-core-*.tgz)
	mv "$fetched/package/axe.min.js" "$tools/axe.min.js"
	rm -r "$fetched"
	echo "$axe" >"$tools/axe.min.js.version"
fi
