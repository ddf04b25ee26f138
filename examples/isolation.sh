#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs examples/isolation.yaml on a node of its own, compares what its services say of their kernels, and
# takes everything away again.
# usage: examples/isolation.sh [BUILD DIRECTORY]
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
ZLAYER_ROOT=$(mktemp -d /tmp/zlayer-isolation.XXXXXX)
ZLAYER_SLICE_CIDR=${ZLAYER_SLICE_CIDR:-10.200.78.0/28}
export ZLAYER_ROOT ZLAYER_SLICE_CIDR

zl() {
  echo "\$ zlayer $*" >&2
  "$build/zlayer" "$@"
}

clean_up() {
  code=$?
  trap - EXIT
  "$build/zlayer" down -q examples/isolation.yaml || code=1
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

fail() {
  echo "examples/isolation.sh: $*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || fail "containers need root: sudo make run-isolation"
test -e build/images/hello/index.json || tools/mkhello build/images/hello

zl up -d examples/isolation.yaml
for service in process hyperv; do
  code=$(zl wait "$service-rep-1")
  zl logs "$service-rep-1" | tee "$ZLAYER_ROOT/$service.said"
  test "$code" = 0 || fail "$service ended with $code"
done

boot=$(cat /proc/sys/kernel/random/boot_id)
grep -q "^boot $boot\$" "$ZLAYER_ROOT/process.said" || fail "process: not this node's kernel"
grep -q "^boot [0-9a-f-]*\$" "$ZLAYER_ROOT/hyperv.said" || fail "hyperv: no boot id"
! grep -q "^boot $boot\$" "$ZLAYER_ROOT/hyperv.said" || fail "hyperv: this node's kernel"
echo "Two containers, two kernels: $(uname -r) and $(sed -n 's/^kernel //p' "$ZLAYER_ROOT/hyperv.said")."
zl down examples/isolation.yaml
