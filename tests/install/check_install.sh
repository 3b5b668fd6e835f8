#!/usr/bin/env bash
# Installs nearfar into a folder of its own and builds examples/embed against it with find_package.
# Usage: check_install.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" > /dev/null
cmake -S "$source/examples/embed" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" > /dev/null
cmake --build "$work/build" > /dev/null
said=$("$work/build/embed")
echo "$said"
[[ $said == difficult:* ]]
version=$("$work/prefix/bin/nearfar" --version)
echo "$version"
[[ $version == nearfar\ * ]]
