#!/usr/bin/env python3
"""AP50 of each model of the bundle on its photos, beside the figure that the bundle states.

    measure_ap50.py OUT_DIR [--nearfar build/nearfar] [--threads 1] [MODEL...]

Records each model over the bundle's COCO and VOC photos (the helmet models over the helmet photos, class
helmet alone; see count_from_0) with `nearfar record`, judges the recordings with `nearfar eval --bootstrap 1000 --seed 1`
and prints one table in Markdown. Recordings stay in OUT_DIR and are gone on with when called again. The
bundle is $NEARFAR_ASSETS or ../shared/assets beside the checkout.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What the bundle's README states: AP50 in % by set, on 418 COCO and 756 VOC photos, and on the helmet
# set's test split.
STATED = {
    "yolov8s_rawheads_fp16w": {"coco": 61.3, "voc": 88.9},
    "yolov5s_rawheads_fp16w": {"coco": 54.6, "voc": 84.9},
    "yolov8n_rawheads_fp16w": {"coco": 53.2, "voc": 84.0},
    "yolov8n_640_decoded": {"coco": 53.2, "voc": 84.0},
    "yolov5n_rawheads_fp16w": {"coco": 45.8, "voc": 75.0},
    "yolov5n_640_decoded": {"coco": 45.8, "voc": 75.0},
    "picodet_s_416_coco": {"coco": 46.2, "voc": 78.1},
    "yolox_nano_416": {"coco": 42.6, "voc": 78.9},
    "nanodet_m_416": {"coco": 38.7, "voc": 72.9},
    "ssd_mobilenet_v1_coco_300_u8": {"coco": 32.4, "voc": 64.9},
    "fastestdet_352": {"coco": 29.1, "voc": 58.0},
    "yolo_fastest_1.1_320_rawheads": {"coco": 27.5, "voc": 55.1},
    "mbv2_yolov3_nano_voc_320_rawheads": {"voc": 65.0},
    "helmet_yolov5s_rawheads_fp16w": {"helmet": 95.6, "helmet from 0": 95.6},
    "helmet_yolov8n_rawheads_fp16w": {"helmet": 41.1, "helmet from 0": 41.1},
}


def count_from_0(folder, file):
    """Writes a VOC folder's boxes as COCO JSON with corners as they stand: the helmet set seems to count from
    0, where a VOC file counts from 1, and its objects are so small that one px shows."""
    images, annotations = [], []
    for number, path in enumerate(sorted((folder / "Annotations").glob("*.xml")), 1):
        root = xml.etree.ElementTree.parse(path).getroot()
        images.append({"id": number, "file_name": f"{path.stem}.jpg", "width": int(root.findtext("size/width")),
                       "height": int(root.findtext("size/height"))})
        for item in root.iter("object"):
            corners = [item.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
            if item.findtext("name") != "helmet" or not all(corners):
                continue
            x1, y1, x2, y2 = map(float, corners)
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)})
    file.write_text(json.dumps({"images": images, "annotations": annotations,
                                "categories": [{"id": 1, "name": "helmet"}]}))
    return file


def sets_of(bundle, out):
    """By name of the set: its photos, its truth, further flags of `nearfar eval`."""
    helmet = bundle / "helmet"
    return {
        "coco": (bundle / "coco/val2017", bundle / "coco/annotations/instances_val2017.json", []),
        "voc": (bundle / "VOCdevkit/VOC2007/JPEGImages", bundle / "VOCdevkit/VOC2007", []),
        "helmet": (helmet / "JPEGImages", helmet, ["--classes", "helmet"]),
        "helmet from 0": (helmet / "JPEGImages", count_from_0(helmet, out / "helmet_from_0.json"),
                          ["--classes", "helmet"]),
    }


def model_path(bundle, name, out):
    """The weight, or, for the SSD, the example package filled with weight and priors."""
    weight = bundle / "weights" / f"{name}.onnx"
    if not name.startswith("ssd_"):
        return weight
    package = out / "ssd_mobilenet_v1_coco_300"
    shutil.copytree(ROOT / "examples/packages/ssd_mobilenet_v1_coco_300", package, dirs_exist_ok=True)
    (package / "1").mkdir(exist_ok=True)
    shutil.copyfile(weight, package / "1/model.onnx")
    shutil.copyfile(bundle / "weights/ssd_mobilenet_v1_coco_300_anchors.csv", package / "anchors.csv")
    return package


def call(*command):
    run = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    if run.returncode != 0:
        sys.exit(f"measure_ap50: {' '.join(map(str, command))}: exit status {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("models", nargs="*", default=list(STATED))
    parser.add_argument("--nearfar", type=pathlib.Path, default=ROOT / "build/nearfar")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_intermixed_args()
    bundle = pathlib.Path(os.environ.get("NEARFAR_ASSETS", ROOT.parent / "shared/assets"))
    if not (bundle / "weights").is_dir():
        print(f"left out: no bundle of real photos and weights at {bundle}")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    sets = sets_of(bundle, options.out)
    print("| model | input | set | photos | AP50 | 95 % interval | bundle's figure | within |\n"
          "|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.models:
        model = model_path(bundle, name, options.out)
        for set_name, stated in STATED[name].items():
            photos, truth, flags = sets[set_name]
            recording = options.out / f"{name}-{set_name.split()[0]}.rec"
            recorded = call(options.nearfar, "record", photos, "--model", model, "--output", recording,
                            "--threads", options.threads, "--json")
            judged = call(options.nearfar, "eval", "--truth", truth, "--recording", recording,
                          "--bootstrap", 1000, "--seed", 1, "--json", *flags)
            row = judged["rows"][0]
            low, high = (100 * end for end in row["ap50_interval"])
            width, height = recorded["model"]["input"]
            print(f"| `{name}` | {width}×{height} | {set_name} | {judged['images']} | {100 * row['ap50']:.1f}"
                  f" | {low:.1f} – {high:.1f} | {stated} | {'yes' if low <= stated <= high else 'no'} |",
                  flush=True)


if __name__ == "__main__":
    main()
