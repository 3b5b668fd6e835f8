#!/bin/sh
# Accuracy of tiles on real pixels: 2x2 mosaics of annotated pictures, every tile and the overview
# merged in several ways, against the whole frame at its own size. About 10 minutes of one core for
# 25 mosaics of 4K and a nano model; a second call goes on where a first one ended.
#
#   bench/mosaic_ap.sh MODEL.onnx OUT SEQUENCE...     (in the repository's folder, after a build)
#
# SEQUENCE: annotated pictures of one size that nearfar reads, such as MOT sequence folders. MODEL
# takes inputs of any size. COUNT=25 SEED=1 DRAWS=2000 can be set.
set -e
model=$1
out=$2
shift 2
nearfar=build/nearfar
cmake --build build --target mosaic_ap nearfar > /dev/null
mkdir -p "$out"
$nearfar mosaic "$@" --out "$out/mosaics" --grid 2x2 --count "${COUNT:-25}" --seed "${SEED:-1}"
size=$($nearfar mosaic "$@" --out "$out/mosaics" --count "${COUNT:-25}" --seed "${SEED:-1}" \
  2> /dev/null | sed 's/.* of \([0-9]*x[0-9]*\) px.*/\1/')
width=${size%x*}
height=${size#*x}
up() { echo $((($1 + 31) / 32 * 32)); }
record() {
  $nearfar record "$out/mosaics/images" -m "$model" --max-boxes 1000 "$@"
}
record -o "$out/whole.rec" --set "input.size=$(up "$width")x$(up "$height")"
record -o "$out/half.rec" --set "input.size=$(up $((width / 2)))x$(up $((height / 2)))"
record -o "$out/tiles.rec" --tiles 512 --padding 64 --overview $((width / 4))
merge() {
  name=$1
  shift
  $nearfar merge "$out/tiles.rec" -o "$out/$name.rec" --force "$@"
}
merge border
merge border_without_overview --no-overview
merge iou_as_printed --how iou --no-overview
merge iou_and_overview --how iou
merge overview --how overview
merge border_of_occupied --occupied "$out/mosaics"
cd "$out"
exec "$OLDPWD/build/bench/mosaic_ap" mosaics whole.rec half.rec border.rec \
  border_without_overview.rec iou_as_printed.rec iou_and_overview.rec overview.rec \
  border_of_occupied.rec --draws "${DRAWS:-2000}"
