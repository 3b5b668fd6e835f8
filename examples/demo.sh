#!/usr/bin/env bash
# Small-big, live: a near model here, a far node in a second process, one table and some pictures.
# Usage: examples/demo.sh [OUT_DIR]        (default demo/out; `make demo` builds and calls it)
# It runs on the fixture scene, and on the real photos of a bundle where there is one: in
# $NEARFAR_ASSETS, or in ../shared/assets.
set -euo pipefail
cd "$(dirname "$0")/.."
nearfar=$PWD/build/nearfar
out=${1:-demo/out}
assets=${NEARFAR_ASSETS:-../shared/assets}
node=
share=0.4  # of the images may be uploaded

say() { printf '\n== %s\n' "$*" >&2; }

# Starts a far node in a process of its own and waits for its line "... ready at ADDRESS ...".
start_node() {
  rm -f "$out/node.log"  # an earlier node's address must not be taken for this one's
  "$nearfar" node --models "$1" --port 0 --threads 2 --callers 1 > "$out/node.log" 2>&1 &
  node=$!
  for _ in $(seq 200); do
    address=$(grep -oE '[0-9.]+:[0-9]+' "$out/node.log" | head -n1 || true)
    [ -n "$address" ] && return
    kill -0 "$node" 2> /dev/null || break
    sleep 0.1
  done
  cat "$out/node.log" >&2
  exit 3
}
stop_node() {
  [ -z "$node" ] || { kill "$node" 2> /dev/null && wait "$node" || true; }
  node=
}
trap stop_node EXIT

# Records a detector's boxes; a recording that is there already is gone on with, unless it was made with
# other settings.
record_boxes() {
  "$nearfar" record "$1" --model "$2" --threads 2 --output "$3" && return
  rm -f "$3"
  "$nearfar" record "$1" --model "$2" --threads 2 --output "$3"
}

# small_big NAME NEAR FAR CLASSES TRUTH CALIBRATE_LIST JUDGE_LIST [EVAL_FLAGS]: the whole way, from
# recordings to pictures.
small_big() {
  local name=$1 near=$2 far=$3 classes=$4 truth=$5 calibrate=$6 judge=$7 work=$out/$1
  shift 7
  mkdir -p "$work"
  say "$name: $(wc -l < "$calibrate") images to calibrate on, $(wc -l < "$judge") others to judge"
  for part in calibrate judge; do
    for side in near far; do
      record_boxes "@${!part}" "${!side}" "$work/$part-$side.rec"
    done
  done
  say "$name: choosing and fitting a discriminator, without any label"
  "$nearfar" calibrate --near "$work/calibrate-near.rec" --far "$work/calibrate-far.rec" \
    --classes "$classes" --upload "$share" --output "$work/discriminator.json"
  say "$name: running live under a budget of $share of the images, far node in a second process"
  start_node "$far"
  rm -rf "$work/pictures"
  "$nearfar" run "@$judge" --near "$near" --far "$address" --uploads 2 --in-flight 4 \
    --discriminator "$work/discriminator.json" --upload-share "$share" --audit 0 --trace "$work/trace.jsonl" \
    --annotate "$work/pictures"
  stop_node
  say "$name: small alone, big alone, end to end"
  "$nearfar" eval --truth "$truth" --trace "$work/trace.jsonl" --near "$work/judge-near.rec" \
    --far "$work/judge-far.rec" --discriminator smallbig random top1 --upload "$share" "$@" | tee "$work/table.txt"
  pick_pictures "$work"
}

# Copies three easy and three difficult pictures side by side into easy/ and difficult/.
pick_pictures() {
  python3 - "$1" <<'PY'
import json, os, shutil, sys
work = sys.argv[1]
drawn = {os.path.splitext(f)[0]: f for f in os.listdir(work + "/pictures")}
for kind, wanted in (("easy", False), ("difficult", True)):
    os.makedirs(f"{work}/{kind}", exist_ok=True)
    taken = 0
    for line in open(work + "/trace.jsonl", encoding="utf-8"):
        record = json.loads(line)
        if record["type"] != "frame" or not record.get("verdicts") or taken == 3:
            continue
        verdict = record["verdicts"][0]
        if verdict["uploaded"] == verdict["difficult"] == wanted and record["detections"]:
            shutil.copy(f"{work}/pictures/{drawn[record['name']]}", f"{work}/{kind}/")
            taken += 1
print(f"pictures: {work}/easy and {work}/difficult; all of them in {work}/pictures", file=sys.stderr)
PY
}

# every N-th FILE of a folder, as a list: calibration takes the even ones, judging the odd ones.
split_list() { find "$1" -name '*.jpg' | sort | awk -v r="$2" -v most="$3" 'NR % 2 == r && n++ < most'; }

rm -rf "$out/scene"
mkdir -p "$out"
say "fixture scene: drawing 400 street pictures from seed 7"
"$nearfar" scene --out "$out/scene/set" --seed 7 --split calibrate=200 --split judge=200
for part in calibrate judge; do
  sed "s#.*#$out/scene/set/JPEGImages/&.jpg#" "$out/scene/set/ImageSets/Main/$part.txt" > "$out/scene/$part.txt"
done
small_big scene models/scene_near models/scene_far person,bicycle,car,dog "$out/scene/set" "$out/scene/calibrate.txt" \
  "$out/scene/judge.txt" --image-set judge

if [ -d "$assets/VOCdevkit/VOC2007" ]; then
  voc=$assets/VOCdevkit/VOC2007
  mkdir -p "$out/photos"
  voc_classes=aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,dog,horse,motorbike
  voc_classes=$voc_classes,person,pottedplant,sheep,sofa,train,tvmonitor
  split_list "$voc/JPEGImages" 0 240 > "$out/photos/calibrate.txt"
  split_list "$voc/JPEGImages" 1 120 > "$out/photos/judge.txt"
  small_big photos "$assets/weights/yolo_fastest_1.1_320_rawheads.onnx" \
    "$assets/weights/yolov8s_rawheads_fp16w.onnx" "$voc_classes" "$voc" "$out/photos/calibrate.txt" \
    "$out/photos/judge.txt"
else
  say "no bundle of real photos in $assets: the fixture scene is the whole demo"
fi
