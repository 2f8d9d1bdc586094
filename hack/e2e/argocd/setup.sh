#!/usr/bin/env bash
# Installs what the test under Argo CD needs beside what it is built from: git, ip, and Redis. Debian's redis-tools holds the
# server, too, by another name; the package redis-server would start one as a service.
set -euo pipefail

missing=()
command -v git >/dev/null || missing+=(git)
command -v ip >/dev/null || missing+=(iproute2)
command -v redis-server >/dev/null || command -v redis-check-rdb >/dev/null || missing+=(redis-tools)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "setup: please install: ${missing[*]}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]} (about a minute)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
