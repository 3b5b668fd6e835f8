#!/usr/bin/env bash
# Brings everything that building and testing nearfar needs onto a Debian 12 (or later) machine.
# Usage: tools/setup.sh [build|test|train]     (each level includes the one before it)
#   build  compiler, cmake, libraries from Debian's packages; ONNX Runtime into .deps/onnxruntime
#   test   what the tests add: ffmpeg and Python peers in .deps/venv (pinned in tools/requirements.txt)
#   train  Debian's PyTorch, for training/ only
# A second call finds everything in place and returns at once. Needs root only to install packages.
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-build}
deps=$PWD/.deps
mkdir -p "$deps"

readonly ORT_VERSION=1.32.0
readonly PYTHON=/usr/bin/python3  # Debian's own: another python3 first in PATH may lack venv or pip

build_packages=(
  g++ cmake ninja-build mold ccache pkg-config ca-certificates python3 python3-pip python3-venv
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libopencv-dev libturbojpeg0-dev libexpected-dev nlohmann-json3-dev libyaml-cpp-dev libcli11-dev
  libcairo2-dev fonts-dejavu-core libpugixml-dev zlib1g-dev libgtest-dev libgmock-dev
  libbenchmark-dev
)
test_packages=(ffmpeg)
train_packages=(python3-torch python3-onnx python3-numpy python3-pil)

say() { printf 'setup: %s\n' "$*" >&2; }

# Installs the packages that are missing, and only those.
install_packages() {
  local missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" != 0 ]; then
    say "these packages are missing and only root can install them:"
    say "  apt-get install --no-install-recommends ${missing[*]}"
    exit 1
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >&2
  apt-get install -yq --no-install-recommends "${missing[@]}" >&2
}

# ONNX Runtime's C and C++ headers are in no package of Debian 12, and its wheel carries none. They
# are taken out of Debian 13's libonnxruntime-dev (1.21: the C API only ever grows), read through a
# private apt view, so that the machine's own package sources stay as they are.
fetch_headers() {
  local view=$1 into=$2 source deb
  mkdir -p "$view"/{lists/partial,cache/archives/partial,sources.d}
  source=$({ grep -lsE '^Suites:.*(bookworm|trixie)( |$)' /etc/apt/sources.list.d/*.sources
             grep -lsE '^deb .* (bookworm|trixie) ' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
           } | head -n1) || true
  [ -n "$source" ] || { say "no Debian package source found under /etc/apt"; exit 1; }
  case $source in
    *.sources) sed -E 's/^(Suites:).*/\1 trixie/' "$source" |
      awk 'BEGIN { RS = ""; ORS = "\n\n" } !/security/' > "$view/sources.d/trixie.sources" ;;
    *) grep -E '^deb .* (bookworm|trixie) ' "$source" | head -n1 |
      sed -E 's/ (bookworm|trixie) / trixie /' > "$view/sources.d/trixie.list" ;;
  esac
  local apt=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$view/sources.d"
    -o "Dir::State::lists=$view/lists" -o "Dir::Cache=$view/cache" -o "APT::Sandbox::User=root")
  apt-get "${apt[@]}" update -q >&2
  (cd "$view" && apt-get "${apt[@]}" download -q libonnxruntime-dev >&2)
  deb=$(ls "$view"/libonnxruntime-dev_*.deb)
  dpkg-deb -x "$deb" "$view/root"
  mkdir -p "$into"
  cp "$view"/root/usr/include/onnxruntime/*.h "$into/"
}

fetch_onnxruntime() {
  local home=$deps/onnxruntime
  [ -f "$home/complete-$ORT_VERSION" ] && return
  say "fetching ONNX Runtime $ORT_VERSION (library from its Python wheel, headers from Debian 13)"
  local work
  work=$(mktemp -d)
  trap 'rm -rf "$work"' RETURN
  rm -rf "$home"
  mkdir -p "$home/lib"
  fetch_headers "$work/apt" "$home/include"
  "$PYTHON" -m pip download -q --no-deps --only-binary :all: -d "$work" "onnxruntime==$ORT_VERSION"
  "$PYTHON" - "$work" "$home/lib" <<'PY'
import glob, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/onnxruntime-*.whl")[0])
library = [n for n in wheel.namelist() if "capi/libonnxruntime.so." in n][0]
with open(sys.argv[2] + "/" + library.rsplit("/", 1)[1], "wb") as out:
    out.write(wheel.read(library))
PY
  (cd "$home/lib" && ln -sf "libonnxruntime.so.$ORT_VERSION" libonnxruntime.so.1 &&
    ln -sf libonnxruntime.so.1 libonnxruntime.so)
  touch "$home/complete-$ORT_VERSION"
}

fetch_python_peers() {
  local pins=tools/requirements.txt stamp
  stamp=$deps/venv/complete-$(sha256sum "$pins" | cut -c1-16)
  [ -f "$stamp" ] && return
  say "installing the Python peers of the tests into .deps/venv (about 500 MB)"
  rm -rf "$deps/venv"
  "$PYTHON" -m venv "$deps/venv"
  "$deps/venv/bin/pip" install -q --no-deps -r "$pins"
  touch "$stamp"
}

install_packages "${build_packages[@]}"
fetch_onnxruntime
case $level in
  build) ;;
  test) install_packages "${test_packages[@]}"; fetch_python_peers ;;
  train) install_packages "${train_packages[@]}" ;;
  *) say "unknown level '$level': build, test or train"; exit 2 ;;
esac
