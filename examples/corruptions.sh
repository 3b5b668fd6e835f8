#!/usr/bin/env bash
# The corruption axis: how the detectors and small-big stand blur, occlusion, drops on the lens, smoke
# and low light, at three strengths each [SmallBig §VI.A].
# Usage: examples/corruptions.sh PHOTOS NEAR FAR TRUTH [OUT_DIR [HOW_MANY]]
#   PHOTOS    a folder of pictures, or a list (*.txt) of them
#   NEAR FAR  two .onnx files or packages
#   TRUTH     annotations of the pictures: VOC folder, COCO JSON, YOLO folder, CSV
#   HOW_MANY  of a folder's pictures, evenly spread (default 150)
# Recordings that are there already are gone on with. Charts and curves.csv go to OUT_DIR (corruptions).
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,9s/^# //p' "$0" >&2; exit 2; }
photos=$1 near=$2 far=$3 truth=$4 out=${5:-corruptions} many=${6:-150}
nearfar=$(cd "$(dirname "$0")/.." && pwd)/build/nearfar
mkdir -p "$out"

if [ -d "$photos" ]; then
  find "$(cd "$photos" && pwd)" -maxdepth 1 -type f -iregex '.*\.\(jpe?g\|png\)' | sort > "$out/all"
  awk -v n="$(wc -l < "$out/all")" -v k="$many" \
    'int(NR * k / n) > int((NR - 1) * k / n)' "$out/all" > "$out/photos.txt"
  photos=$out/photos.txt
fi

record() {  # MODEL FILE [CORRUPTION]
  "$nearfar" record "$photos" --model "$1" --output "$2" ${3:+--corrupt "$3"}
}
pairs=()
for what in clean {blur,occlusion,water,smoke,dark}:{1,2,3}; do
  name=${what/:/}
  corruption=$what
  [ "$what" != clean ] || corruption=
  record "$near" "$out/near-$name.rec" "$corruption"
  record "$far" "$out/far-$name.rec" "$corruption"
  pairs+=(--pair "$name=$out/near-$name.rec,$out/far-$name.rec")
done
"$nearfar" sweep "${pairs[@]}" --truth "$truth" --discriminator smallbig random --ratios 0,0.2,0.5,1 \
  --output "$out"
