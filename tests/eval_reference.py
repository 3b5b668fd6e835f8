#!/usr/bin/env python3
"""The figures that `nearfar eval` is held against.

VOC average precision is written here in plain numpy from the definition in the PASCAL VOC development
kit (VOCevaldet.m, VOCap.m): whole-pixel boxes, corners included, hence the "+ 1". COCO's figures come
from pycocotools itself.

  eval_reference.py values FILE.json     truth and detections as the C++ tests write them
  eval_reference.py devkit GT IMAGES DIR the bundle's gt.csv.gz, images.csv and a folder of
                                         comp4_det_test_<class>.txt

Prints one JSON object: voc07, area (means over classes), voc07_of, area_of (by class), ap50_95, ap50,
ap_small, ap_medium, ap_large.
"""

import contextlib
import csv
import gzip
import io
import json
import os
import sys

import numpy as np


def voc_class(truth, detections, iou=0.5):
    """Recall and precision of one class, or None where no object is wanted.

    truth: {image: [(xmin, ymin, xmax, ymax, difficult)]}; detections: [(image, score, box)].
    """
    wanted = sum(not d for objects in truth.values() for *_, d in objects)
    if wanted == 0:
        return None
    order = np.argsort([-score for _, score, _ in detections], kind="stable")
    taken = {image: [False] * len(objects) for image, objects in truth.items()}
    right, wrong = np.zeros(len(order)), np.zeros(len(order))
    for d, index in enumerate(order):
        image, _, box = detections[index]
        best, which = -np.inf, None
        for o, (xmin, ymin, xmax, ymax, _) in enumerate(truth.get(image, [])):
            width = min(box[2], xmax) - max(box[0], xmin) + 1
            height = min(box[3], ymax) - max(box[1], ymin) + 1
            if width <= 0 or height <= 0:
                continue
            both = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
            both += (xmax - xmin + 1) * (ymax - ymin + 1) - width * height
            if width * height / both > best:
                best, which = width * height / both, o
        if best >= iou:
            if truth[image][which][4]:
                continue
            if taken[image][which]:
                wrong[d] = 1
            else:
                taken[image][which] = True
                right[d] = 1
        else:
            wrong[d] = 1
    right, wrong = np.cumsum(right), np.cumsum(wrong)
    return right / wanted, right / np.maximum(right + wrong, np.finfo(float).eps)


def voc07_ap(recall, precision):
    best = [precision[recall >= t].max() if (recall >= t).any() else 0.0
            for t in np.arange(0.0, 1.1, 0.1)]
    return float(np.mean(best))


def area_ap(recall, precision):
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    steps = np.where(recall[1:] != recall[:-1])[0]
    return float(np.sum((recall[steps + 1] - recall[steps]) * precision[steps + 1]))


def voc(classes, truth, detections):
    """truth: {class: {image: [(xmin, ymin, xmax, ymax, difficult)]}}, detections: {class: [...]}."""
    voc07, area = {}, {}
    for name in classes:
        curve = voc_class(truth.get(name, {}), detections.get(name, []))
        if curve is not None:
            voc07[name], area[name] = voc07_ap(*curve), area_ap(*curve)
    return {"voc07": mean(voc07), "area": mean(area), "voc07_of": voc07, "area_of": area}


def mean(by_class):
    return float(np.mean(list(by_class.values()))) if by_class else None


def coco(images, categories, annotations, results):
    """pycocotools' summary; truth and results in COCO's JSON form."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "categories": categories, "annotations": annotations}
        truth.createIndex()
        if not results:
            return {}
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = ["ap50_95", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"]
    return {name: (float(v) if v > -1 else None) for name, v in zip(names, evaluation.stats)}


def from_values(path):
    with open(path) as file:
        data = json.load(file)
    classes = data["classes"]
    truth, detections = {}, {}
    images, annotations, results = [], [], []
    for number, image in enumerate(data["images"], 1):
        images.append({"id": number, "width": image["width"], "height": image["height"]})
        for o in image["objects"]:
            x1, y1, x2, y2 = o["box"]
            truth.setdefault(classes[o["label"]], {}).setdefault(number, []).append(
                (x1 + 1, y1 + 1, x2, y2, o["difficult"]))
            area = o["area"] if o["area"] >= 0 else (x2 - x1) * (y2 - y1)
            annotations.append({"id": len(annotations) + 1, "image_id": number,
                                "category_id": o["label"] + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                                "area": area, "iscrowd": int(o["crowd"] or o["difficult"])})
        for x1, y1, x2, y2, score, label in image["detections"]:
            detections.setdefault(classes[label], []).append((number, score,
                                                              (x1 + 1, y1 + 1, x2, y2)))
            results.append({"image_id": number, "category_id": label + 1, "score": score,
                            "bbox": [x1, y1, x2 - x1, y2 - y1]})
    categories = [{"id": c, "name": name} for c, name in enumerate(classes, 1)]
    return {**voc(classes, truth, detections), **coco(images, categories, annotations, results)}


def from_devkit(truth_path, images_path, folder):
    with open(images_path, newline="") as file:
        sizes = {row["image"]: (int(row["width"]), int(row["height"]))
                 for row in csv.DictReader(file)}
    number = {name: i for i, name in enumerate(sorted(sizes), 1)}
    images = [{"id": number[n], "width": w, "height": h} for n, (w, h) in sizes.items()]
    truth, annotations = {}, []
    with gzip.open(truth_path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            x1, y1, x2, y2 = (float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax"))
            difficult = row["difficult"] == "1"
            truth.setdefault(row["class"], {}).setdefault(row["image"], []).append(
                (x1, y1, x2, y2, difficult))
            annotations.append((row["image"], row["class"], [x1 - 1, y1 - 1, x2 - x1 + 1,
                                                             y2 - y1 + 1], difficult))
    classes = sorted(truth)
    detections, results = {}, []
    for name in classes:
        with open(os.path.join(folder, f"comp4_det_test_{name}.txt")) as file:
            for line in file:
                image, *values = line.split()
                score, x1, y1, x2, y2 = map(float, values)
                detections.setdefault(name, []).append((image, score, (x1, y1, x2, y2)))
                results.append({"image_id": number[image], "score": score,
                                "category_id": classes.index(name) + 1,
                                "bbox": [x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1]})
    categories = [{"id": c, "name": name} for c, name in enumerate(classes, 1)]
    annotations = [{"id": i, "image_id": number[image], "category_id": classes.index(name) + 1,
                    "bbox": box, "area": box[2] * box[3], "iscrowd": int(difficult)}
                   for i, (image, name, box, difficult) in enumerate(annotations, 1)]
    return {**voc(classes, truth, detections), **coco(images, categories, annotations, results)}


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "values":
        print(json.dumps(from_values(sys.argv[2])))
    elif len(sys.argv) == 5 and sys.argv[1] == "devkit":
        print(json.dumps(from_devkit(*sys.argv[2:])))
    else:
        sys.exit(__doc__)
