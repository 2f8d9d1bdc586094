#!/usr/bin/env bash
# Installs what building and testing need beside Go and git: a C compiler for the race detector, python3 for the
# comparison with CPython, PostgreSQL for the tests of the store (which start a server of their own). The cluster's own packages are installed by hack/cluster.
set -euo pipefail
. "$(dirname "$0")/install.sh"

missing=()
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
command -v python3 >/dev/null || missing+=(python3)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
install_packages "${missing[@]}"
