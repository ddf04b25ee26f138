#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs examples/isolation.yaml on a node of its own, compares what its services say of their kernels, and
# takes everything away again.
# usage: examples/isolation.sh [BUILD DIRECTORY]
set -eu
if [ "$(id -u)" -ne 0 ]; then
  echo "examples/isolation.sh: containers need root: sudo make run-isolation" >&2
  exit 1
fi
# In a network namespace of its own: the node's bridge and its rules go with that.
test -n "${ZLAYER_EXAMPLE_INSIDE:-}" || ZLAYER_EXAMPLE_INSIDE=1 exec unshare --net sh "$0" "$@"
cd "$(dirname "$0")/.."
build=${1:-build}
ZLAYER_ROOT=$(mktemp -d /tmp/zlayer-isolation.XXXXXX)
ZLAYER_SLICE_CIDR=${ZLAYER_SLICE_CIDR:-10.200.78.0/28}
export ZLAYER_ROOT ZLAYER_SLICE_CIDR

zl() {
  echo "\$ zlayer $*" >&2
  "$build/zlayer" "$@"
}

# Objects of this node that are still there, one a line.
left() {
  grep -o "$ZLAYER_ROOT[^ ]*" /proc/self/mountinfo | sed 's/^/mount /'
  ls -l /proc/[0-9]*/fd 2>/dev/null | grep -o "$ZLAYER_ROOT/.*" | sed 's/^/a process has open: /'
  ls "$ZLAYER_ROOT/containers" 2>/dev/null | sed 's/^/container /'
  # Links and cgroups have the node's tag in their names.
  ls /sys/class/net | grep "^zl$tag" | sed 's/^/link /'
  find /sys/fs/cgroup -maxdepth 2 -type d -name "zlayer-$tag-*" 2>/dev/null | sed 's/^/cgroup /'
}

# A machine and its link go a moment after its container.
expect_nothing() {
  for try in $(seq 50); do
    test -n "$(left)" || return 0
    sleep 0.1
  done
  left >&2
  return 1
}

clean_up() {
  code=$?
  trap - EXIT
  "$build/zlayer" down -q examples/isolation.yaml || code=1
  "$build/zlayer" system check >/dev/null || code=1
  expect_nothing || code=1
  "$build/zlayer" system prune -f -a --volumes >/dev/null || code=1
  "$build/zlayer" system check --repair >/dev/null || code=1
  rm -rf "$ZLAYER_ROOT"
  if [ "$code" -eq 0 ]; then
    echo "The example ran to its end and left nothing behind: no process, mount, link, cgroup or file."
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

# What a service said of itself: said SERVICE kernel|boot|address
said() {
  sed -n "s/^$2 //p" "$ZLAYER_ROOT/$1.said"
}

test -e build/images/hello/index.json || tools/mkhello build/images/hello
# This node ends with its only machine: no template for a next one.
echo 'vm: { template: off }' >"$ZLAYER_ROOT/config.yaml"
tag=$("$build/zlayer" info --json | sed -n 's/.*"bridge": *"zl-\([0-9a-f]*\)".*/\1/p')
test -n "$tag" || fail "zlayer info names no bridge"

zl up -d examples/isolation.yaml
for service in process hyperv; do
  code=$("$build/zlayer" wait "$service-rep-1")
  zl logs "$service-rep-1" >"$ZLAYER_ROOT/$service.said"
  test "$code" = 0 || fail "$service ended with $code"
done

kernel=$(uname -r)
boot=$(cat /proc/sys/kernel/random/boot_id)
row='%-10s%-22s%-38s%s\n'
echo
printf "$row" '' kernel 'boot id' address
printf "$row" 'this node' "$kernel" "$boot" ''
for service in process hyperv; do
  printf "$row" "$service" "$(said "$service" kernel)" "$(said "$service" boot)" "$(said "$service" address)"
done
echo

test "$(said process boot)" = "$boot" || fail "process: not this node's kernel"
test -n "$(said hyperv boot)" || fail "hyperv: no boot id"
test "$(said hyperv boot)" != "$boot" || fail "hyperv: this node's kernel"
test -n "$(said process address)" && test "$(said process address)" != "$(said hyperv address)" ||
  fail "the services have no addresses of their own"
echo "Two containers of one image, two kernels: process has this node's, hyperv one of its own."
zl down examples/isolation.yaml
