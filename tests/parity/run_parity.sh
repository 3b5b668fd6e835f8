#!/bin/sh
# run_parity.sh PYTHON BOXES_OF SOURCE_DIR: compare.py on the bundle, where there is one.
set -eu
bundle=${NEARFAR_ASSETS:-$3/../shared/assets}
if [ ! -d "$bundle/weights" ]; then
  echo "left out: no bundle of real photos and weights at $bundle"
  exit 0
fi
exec "$1" "$3/tests/parity/compare.py" "$2" "$bundle"
