#!/bin/sh
# The limits suite on the Python of .venv and on the newest CPython found here, on a wheel in an environment of its own.
# Arguments go to `python -m harness run --suite limits`. Exits 1 unless every row holds on both.
set -u
newest() { # print the newest interpreter that can make an environment
    for candidate in python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python; do
        "$candidate" -c "
import ensurepip, sys
if sys.implementation.name == 'cpython' and sys.version_info >= (3, 9):
    print('%03d %03d %03d' % sys.version_info[:3], sys.executable)" 2>/dev/null
    done | sort | tail -n 1 | cut -d ' ' -f 4
}
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
set_up() { # $1: an interpreter, $2: a folder
    if [ ! -e "$2/.made" ] || [ .ci/constraints.txt -nt "$2/.made" ] || [ pyproject.toml -nt "$2/.made" ]; then
        "$1" -m venv --clear "$2" || return
        install="$2/bin/python -m pip --quiet --disable-pip-version-check install --constraint .ci/constraints.txt"
        $install pip && $install --group harness dictsqlite && touch "$2/.made" || return
    fi
    rm -rf "$2/wheel"
    .venv/bin/maturin build --quiet --release --interpreter "$2/bin/python" --out "$2/wheel" &&
        "$2/bin/python" -m pip --quiet install --no-deps --no-index --force-reinstall "$2"/wheel/*.whl
}

.venv/bin/python -m harness run --suite limits "$@"
status=$?
[ $status -le 1 ] || exit $status
python=$(newest)
version=$(version_of "$python")
if [ "$version" = "$(version_of .venv/bin/python)" ]; then
    echo "python $version is the newest here"
    exit $status
fi
folder=.venv/limits-$version
set_up "$python" "$folder" || exit
"$folder/bin/python" -m harness run --suite limits "$@" || exit
exit $status
