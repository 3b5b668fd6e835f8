#!/usr/bin/env python3
"""Holds the product's boxes for real photos against the reference detector in plain Python.

    compare.py BOXES_OF BUNDLE [--photos N] [--jpeg] [MODEL...]

Every weight of the bundle, N photos each (50 by default): each box of either side must have a partner
within 0.5 px, 1e-3 in score and of the same class, before NMS, and after NMS and the cut to the photo.
Forgiven are only the boxes that a change of 1e-3 decides: those scored that close to the floor, and
those that greedy NMS keeps or drops as the threshold or equal scores move that much. Both sides get
the same decoded pixels (PNG files made from Pillow's decoding) unless --jpeg asks for the files
themselves, where the two JPEG decoders may differ. Exit status 1 when a box has no partner.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import reference  # noqa: E402

FLOOR, PX, SCORE = 0.05, 0.5, 1e-3


def photos_of(bundle, name, count):
    if name.startswith("helmet"):
        return spread(sorted((bundle / "helmet").rglob("*.jpg")), count)
    coco, voc = sorted((bundle / "coco").rglob("*.jpg")), sorted((bundle / "VOCdevkit").rglob("*.jpg"))
    return spread(coco, count - count // 2) + spread(voc, count // 2)


def spread(files, count):
    return [files[i * len(files) // count] for i in range(min(count, len(files)))]


def pair(ours, theirs):
    """For each of `theirs` the place of its partner in `ours` or -1; each is taken once."""
    partner = np.full(len(theirs), -1)
    free = np.ones(len(ours), bool)
    key = ours[:, 5] * 4 + ours[:, 4]  # classes lie apart, scores side by side: only a window is searched
    order = np.argsort(key, kind="stable")
    wanted = theirs[:, 5] * 4 + theirs[:, 4]
    low = np.searchsorted(key[order], wanted - SCORE, "left")
    high = np.searchsorted(key[order], wanted + SCORE, "right")
    for i, row in enumerate(theirs):
        near = order[low[i]:high[i]]
        near = near[free[near]]
        if len(near) == 0:
            continue
        off = np.maximum(np.abs(ours[near, :4] - row[:4]).max(1) / PX, np.abs(ours[near, 4] - row[4]) / SCORE)
        if off.min() <= 1:
            partner[i] = near[off.argmin()]
            free[partner[i]] = False
    return partner


def deviations(ours, theirs, partner):
    hit = partner >= 0
    if not hit.any():
        return 0.0, 0.0
    difference = np.abs(ours[partner[hit]] - theirs[hit])
    return difference[:, :4].max(), difference[:, 4].max()


def variants(rows):
    """What NMS keeps when its decisions are moved by 1e-3: sets of places in `rows`."""
    place = {tuple(row): i for i, row in enumerate(rows)}
    orders = [rows, rows[np.lexsort((np.arange(len(rows))[::-1], -np.floor(rows[:, 4] / SCORE)))],
              rows[np.lexsort((np.arange(len(rows))[::-1], -np.floor(rows[:, 4] / SCORE + 0.5)))]]
    return [{place[tuple(r)] for r in reference.nms(order, iou)}
            for order, iou in ((orders[0], 0.499), (orders[0], 0.501), (orders[1], 0.5), (orders[2], 0.5))]


def cut(rows, width, height):
    rows = rows.copy()
    rows[:, 0:4:2] = rows[:, 0:4:2].clip(0, width)
    rows[:, 1:4:2] = rows[:, 1:4:2].clip(0, height)
    return rows


def compare(boxes_of, bundle, name, photos, jpeg, scratch):
    """Worst deviations of one model and what had no partner."""
    detector = reference.Reference(bundle / "weights", name)
    best_only = name.startswith("fastestdet")
    settings = ["decoder.classes=" + ("best" if best_only else "all")]
    if isinstance(detector.session.get_inputs()[0].shape[3], str):
        settings.append(f"input.size={detector.width}x{detector.height}")
    if name.startswith("ssd_"):
        settings.append(f"decoder.priors={bundle / 'weights' / 'ssd_mobilenet_v1_coco_300_anchors.csv'}")
        # A bare SSD is assumed to want (x - 127.5) / 127.5, as TensorFlow's; this one wants 128.
        settings += ["input.scale=1", "input.mean=128", "input.std=128"]
    from PIL import Image
    files, pixels = [], []
    for photo in photos:
        pixels.append(reference.read_rgb(photo))
        files.append(photo)
        if not jpeg:
            files[-1] = scratch / (photo.stem + ".png")
            if not files[-1].exists():
                Image.fromarray(pixels[-1]).save(files[-1], compress_level=1)
    run = subprocess.run([boxes_of, bundle / "weights" / f"{name}.onnx", str(FLOOR), *settings, "--", *files],
                         stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        return None
    result = {"px": 0.0, "score": 0.0, "px_after": 0.0, "score_after": 0.0, "alone": 0, "boxes": 0, "kept": 0,
              "forgiven": 0}
    for rgb, line in zip(pixels, run.stdout.splitlines(), strict=True):
        product = json.loads(line)
        ours = np.array(product["before"], np.float64).reshape(-1, 6)
        boxes, scores = detector.raw(rgb)
        theirs = reference.candidates(boxes, scores, FLOOR, not best_only)
        partner = pair(ours, theirs)
        px, score = deviations(ours, theirs, partner)
        alone = [theirs[i] for i in np.nonzero(partner < 0)[0]]
        alone += [ours[i] for i in set(range(len(ours))) - set(partner.tolist())]
        at_floor = [row for row in alone if row[4] < FLOOR + SCORE]
        result["px"], result["score"] = max(result["px"], px), max(result["score"], score)
        result["alone"] += len(alone) - len(at_floor)
        result["forgiven"] += len(at_floor)
        result["boxes"] += len(theirs)

        after = np.array(product["after"], np.float64).reshape(-1, 6)
        height, width = rgb.shape[:2]
        kept = variants(theirs)
        surely, perhaps = set.intersection(*kept), sorted(set.union(*kept))
        wanted = cut(theirs[perhaps], width, height)
        partner = pair(after, wanted)
        px, score = deviations(after, wanted, partner)
        result["px_after"], result["score_after"] = max(result["px_after"], px), max(result["score_after"], score)
        thin = lambda r: min(r[2] - r[0], r[3] - r[1]) < 1e-3
        missed = [i for i, p in zip(perhaps, partner) if p < 0 and i in surely]
        extra = [after[i] for i in set(range(len(after))) - set(partner.tolist())]
        bad = [i for i in missed if theirs[i, 4] >= FLOOR + SCORE and not thin(wanted[perhaps.index(i)])]
        bad_extra = [row for row in extra if row[4] >= FLOOR + SCORE]
        result["alone"] += len(bad) + len(bad_extra)
        result["forgiven"] += len(perhaps) - len(surely)
        result["kept"] += len(after)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("boxes_of", type=pathlib.Path)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("models", nargs="*", default=list(reference.MODELS))
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--jpeg", action="store_true")
    options = parser.parse_args()
    if not (options.bundle / "weights").is_dir():
        print(f"left out: no bundle of real photos and weights at {options.bundle}")
        return 0
    failed = 0
    print(f"{'model':36} {'photos':>6} {'boxes':>7} {'px':>8} {'score':>9} | {'kept':>6} {'px':>8} {'score':>9}"
          f" | alone forgiven seconds", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.models:
            start = time.monotonic()
            photos = photos_of(options.bundle, name, options.photos)
            r = compare(options.boxes_of, options.bundle, name, photos, options.jpeg, pathlib.Path(scratch))
            if r is None or r["alone"] or not r["boxes"]:
                failed += 1
            if r is not None:
                print(f"{name:36} {len(photos):6} {r['boxes']:7} {r['px']:8.4f} {r['score']:9.2e} | {r['kept']:6} "
                      f"{r['px_after']:8.4f} {r['score_after']:9.2e} | {r['alone']:5} {r['forgiven']:8} "
                      f"{time.monotonic() - start:7.1f}", flush=True)
    print(f"{failed} of {len(options.models)} models differ" if failed else "every box has its partner")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
