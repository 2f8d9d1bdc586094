# Sourced by those who know what they need: install_packages PACKAGE... installs Debian packages, where root may.
install_packages() {
  [ $# -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: please install: $*" >&2
    exit 1
  fi
  echo "setup: installing $* (about a minute)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >/dev/null
  apt-get install -y -q --no-install-recommends "$@" >/dev/null
}
