#!/bin/sh
# The conformance suite on the wheel of every CPython found here, but for the one in .venv; a missing version is named.
# PYTHONS: the versions to look for. SUITE_SECONDS: what one run of the suite may take, also on a busy machine.
set -eu
pythons=${PYTHONS:-3.9 3.10 3.11 3.12 3.13 3.14}
limit=${SUITE_SECONDS:-240}
done_by_make_test=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

find_python() { # $1: a version; print the first interpreter of it that can make an environment
    for candidate in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if [ -x "$candidate" ] && "$candidate" -c "
import ensurepip, sys
sys.exit(sys.implementation.name != 'cpython' or '%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}
environment() { # $1: an interpreter, $2: a folder; make it again when the pins have changed
    if [ ! -e "$2/.made" ] || [ .ci/constraints.txt -nt "$2/.made" ] || [ pyproject.toml -nt "$2/.made" ]; then
        "$1" -m venv --clear "$2"
        install="$2/bin/python -m pip --quiet --disable-pip-version-check install --constraint .ci/constraints.txt"
        $install pip
        $install --group test
        touch "$2/.made"
    fi
}
check() { # $1: a version, $2: an interpreter, $3: its environment's folder
    environment "$2" "$3"
    rm -rf "$3/wheel"
    .venv/bin/maturin build --quiet --release --interpreter "$3/bin/python" --out "$3/wheel"
    "$3/bin/python" -m pip --quiet install --no-deps --no-index --force-reinstall "$3"/wheel/*.whl
    "$3/bin/python" -I -c "
import sys, asyncdictsqlite
sys.exit(not asyncdictsqlite.__file__.startswith(sys.prefix) and 'not the wheel: ' + asyncdictsqlite.__file__)"
    started=$(date +%s)
    for backend in threads rust; do # side by side: mostly they wait
        "$3/bin/python" -m pytest --quiet -p no:cacheprovider -k "test_$backend" tests/test_conformance.py \
            >"$3/$backend.log" 2>&1 &
        eval "$backend=\$!"
    done
    for backend in threads rust; do
        eval "wait \$$backend" || { cat "$3/$backend.log" && exit 1; }
        tail -n 1 "$3/$backend.log"
    done
    took=$(($(date +%s) - started))
    echo "python $1: passed in $took s"
    [ "$took" -le "$limit" ] || { echo "python $1: the suite may take $limit s" >&2 && exit 1; }
}

for version in $pythons; do
    python=$(find_python "$version")
    if [ "$version" = "$done_by_make_test" ]; then
        echo "python $version: make test runs it"
    elif [ -z "$python" ]; then
        echo "python $version: not on this machine"
    else
        check "$version" "$python" ".venv/matrix-$version"
    fi
done
