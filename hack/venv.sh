#!/usr/bin/env bash
# Makes .venv with exactly what constraints.txt names (every file by hash), and the package itself in editable mode.
# Called by `make dev`; safe to call twice at once and to interrupt: the stamp is written last.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly venv=.venv stamp=.venv/.stamp
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }
die() { say "make dev: $*"; exit 1; }

# Debian and its children split venv and ensurepip off from python3. With root we install them, else we say how.
install_debian_packages() {
    local packages="python3 python3-venv"
    command -v apt-get >/dev/null || die "Python 3.11 or newer with the venv module is needed. Install it, or name one: make dev PYTHON=/path/to/python3.11"
    [ "$(id -u)" = 0 ] || die "Python 3.11 or newer with the venv module is needed. Run: sudo apt-get install $packages"
    say "make dev: installing $packages"
    apt-get update -qq
    # shellcheck disable=SC2086  # two words on purpose
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
}

usable() { "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! usable; then
    [ -n "${PYTHON:-}" ] || install_debian_packages
    usable || die "$python is $("$python" --version 2>&1), 3.11 or newer is needed. Name one: make dev PYTHON=/path/to/python3.11"
fi

mkdir -p "$venv"
exec 9>"$venv/.lock"
flock 9
if [ -e "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ] && [ ! constraints.txt -nt "$stamp" ]; then
    exit 0  # another `make dev` has just finished this
fi

started=$SECONDS
say "make dev: installing what constraints.txt names into $venv (about a minute on the first run)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r constraints.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --no-deps --no-build-isolation --editable .
"$venv/bin/python" -m pip --disable-pip-version-check check >/dev/null ||
    die "$("$venv/bin/python" -m pip check 2>&1). constraints.txt does not satisfy pyproject.toml: run make lock"
touch "$stamp"
say "make dev: done in $((SECONDS - started)) s"
