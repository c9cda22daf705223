#!/bin/sh
# Print the folder of a cargo that can build rust_core; where it or the C compiler is missing, say so in one sentence.
set -eu
needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' rust_core/Cargo.toml)

fits() { # $1: a folder; true when it has a cargo whose rustc is at least $needed
    [ -x "$1/cargo" ] && version=$("$1/rustc" --version 2>/dev/null | cut -d' ' -f2) &&
        [ "$(printf '%s\n%s\n' "$needed" "$version" | sort -V | head -n1)" = "$needed" ]
}

if ! command -v "${CC:-cc}" >/dev/null; then
    echo "no C compiler: install gcc or clang with the C library's headers (on Debian: apt-get install gcc libc6-dev)" >&2
    exit 1
fi
on_path=$(command -v cargo || true)
for folder in ${on_path:+"${on_path%/*}"} "${CARGO_HOME:-$HOME/.cargo}/bin"; do
    if fits "$folder"; then
        echo "$folder"
        exit 0
    fi
done
echo "no cargo with Rust $needed or newer: install it with rustup, or name its folder in PATH" >&2
exit 1
