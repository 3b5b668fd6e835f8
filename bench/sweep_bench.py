#!/usr/bin/env python3
"""How long a full sweep takes: the first VOC07 pair of the bundle, its images repeated to 4,952.

    sweep_bench.py [--nearfar build/nearfar] [--images 4952] [--discriminator NAME ...]

Writes recordings and a truth of that many images into a temporary folder, runs `nearfar sweep` with its
defaults (all upload ratios, five folds, bootstrap intervals, all charts) for ten discriminators, and
prints the seconds and the process's peak memory. Repeated images repeat their boxes, too: the time is
that of so many images, the figures in the sweep's table are not those of so many.
"""
import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEN = "smallbig random top1 entropy cf ridge mlp conv ibt cross-entropy".split()


def repeat_recording(path, target, images):
    with open(path, encoding="utf-8") as file:
        head, *frames = file.read().splitlines()
    with open(target, "w", encoding="utf-8") as file:
        file.write(head + "\n")
        for i in range(images):
            frame = json.loads(frames[i % len(frames)])
            frame["name"] += f"_{i // len(frames)}"
            file.write(json.dumps(frame) + "\n")
    return len(frames)


def repeat_truth(path, target, images, once):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        head, *rows = file.read().splitlines()
    column = head.split(",").index("image")
    order = {}
    with open(target, "w", encoding="utf-8") as file:
        file.write(head + "\n")
        for repeat in range(-(-images // once)):
            for row in rows:
                cells = row.split(",")
                order.setdefault(cells[column], len(order))
                cells[column] += f"_{repeat}"
                file.write(",".join(cells) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nearfar", default=os.path.join(ROOT, "build", "nearfar"))
    parser.add_argument("--images", type=int, default=4952)
    parser.add_argument("--discriminator", nargs="+", default=TEN)
    flags = parser.parse_args()
    bundle = os.environ.get("NEARFAR_ASSETS", os.path.join(ROOT, "..", "shared", "assets"))
    data = os.path.join(bundle, "voc07_detections")
    if not os.path.isdir(data):
        sys.exit(f"left out: no bundle at {bundle}")
    with tempfile.TemporaryDirectory() as work:
        once = 0
        for side, folder in (("near", "tiny_yolo_a"), ("far", "yolov2")):
            made = os.path.join(work, folder + ".rec")
            subprocess.run([flags.nearfar, "import", os.path.join(data, folder), "--images",
                            os.path.join(data, "images.csv"), "-o", made], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            once = repeat_recording(made, os.path.join(work, side + ".rec"), flags.images)
        repeat_truth(os.path.join(data, "gt.csv.gz"), os.path.join(work, "truth.csv"), flags.images, once)
        command = [flags.nearfar, "sweep", "--near", work + "/near.rec", "--far", work + "/far.rec",
                   "--truth", work + "/truth.csv", "-o", work + "/out", "--discriminator",
                   *flags.discriminator]
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{len(flags.discriminator)} discriminators, {flags.images} images: {seconds:.1f} s, "
          f"peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
