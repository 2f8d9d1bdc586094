#!/usr/bin/env bash
# Installs what building and testing need beside Go and git: a C compiler for the race detector, python3 for the
# comparison with CPython, PostgreSQL for the tests of the store (which start a server of their own), what a Django Channels site is
# run by, and a browser for the person who uses it. The cluster's own packages are installed by hack/cluster.
set -euo pipefail
. "$(dirname "$0")/install.sh"

missing=()
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
command -v python3 >/dev/null || missing+=(python3)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
for module in django:python3-django channels:python3-django-channels channels_redis:python3-channels-redis daphne:daphne jwt:python3-jwt \
  psycopg2:python3-psycopg2 jsonschema:python3-jsonschema; do
  /usr/bin/python3 -c "import importlib.util as u, sys; sys.exit(u.find_spec('${module%:*}') is None)" 2>/dev/null || missing+=("${module#*:}")
done
command -v redis-server >/dev/null || missing+=(redis-server)
command -v chromium >/dev/null || missing+=(chromium)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
install_packages "${missing[@]}"
