#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs examples/hello.yaml from start to end on a node of its own and takes everything away again.
# usage: examples/hello.sh [BUILD DIRECTORY]
set -eu
if [ "$(id -u)" -ne 0 ]; then
  echo "examples/hello.sh: containers need root: sudo make run" >&2
  exit 1
fi
# In a network namespace of its own: the node's bridge and its rules go with that.
test -n "${ZLAYER_EXAMPLE_INSIDE:-}" || ZLAYER_EXAMPLE_INSIDE=1 exec unshare --net sh "$0" "$@"
cd "$(dirname "$0")/.."
build=${1:-build}
ZLAYER_ROOT=$(mktemp -d /tmp/zlayer-hello.XXXXXX)
ZLAYER_SLICE_CIDR=${ZLAYER_SLICE_CIDR:-10.200.77.0/28}
export ZLAYER_ROOT ZLAYER_SLICE_CIDR

zl() {
  echo "\$ zlayer $*" >&2
  "$build/zlayer" "$@"
}

clean_up() {
  code=$?
  trap - EXIT
  "$build/zlayer" down -q examples/hello.yaml || code=1
  "$build/zlayer" system prune -f -a --volumes >/dev/null || code=1
  "$build/zlayer" system check --repair >/dev/null || code=1
  rm -rf "$ZLAYER_ROOT"
  if [ "$code" -eq 0 ]; then
    echo "The example ran to its end and left nothing behind."
  else
    echo "The example failed." >&2
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

test -e build/images/hello/index.json || tools/mkhello build/images/hello

zl up -d examples/hello.yaml
zl ps
code=$(zl wait greeter-rep-1)
zl logs greeter-rep-1
test "$code" = 0 || { echo "greeter ended with $code" >&2; exit 1; }
zl exec web-rep-1 /bin/hello
zl logs web-rep-1
zl down examples/hello.yaml
