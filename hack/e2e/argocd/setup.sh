#!/usr/bin/env bash
# Installs what the test under Argo CD needs beside what it is built from: git, ip, and Redis. Debian's redis-tools holds the
# server, too, by another name; the package redis-server would start one as a service.
set -euo pipefail
. "$(dirname "$0")/../../install.sh"

missing=()
command -v git >/dev/null || missing+=(git)
command -v ip >/dev/null || missing+=(iproute2)
command -v redis-server >/dev/null || command -v redis-check-rdb >/dev/null || missing+=(redis-tools)
install_packages "${missing[@]}"
