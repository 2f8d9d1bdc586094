#!/usr/bin/env bash
# Puts promtool, which tests alerts, to the path given: the one that is installed, or that of Debian's package, whose
# server is not installed with it.
set -euo pipefail
target=$1

mkdir -p "$(dirname "$target")"
if found=$(command -v promtool); then
  ln -sf "$found" "$target"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "promtool: please install it (it comes with Prometheus)" >&2
  exit 1
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
if ! apt-get download -q prometheus >/dev/null 2>&1; then
  apt-get update -q >/dev/null
  apt-get download -q prometheus >/dev/null
fi
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
cd - >/dev/null
install -m 0755 "$dir/usr/bin/promtool" "$target"
