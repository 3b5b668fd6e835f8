#!/usr/bin/env python3
"""The paper's Table XI, live: edge-only, cloud-only and ours over a link, total time measured.

    table_xi.py [--nearfar build/nearfar] [--link "up=20Mbit/s down=20Mbit/s delay=5ms"]
                [--near-size 320x320] [--discriminator smallbig ridge] [--photos 100] [--rounds 3] ...

Starts `nearfar node` with the big model (one engine thread, one call at a time) on one core and lets
`nearfar run` go over the photos on another: edge-only (no far model), cloud-only (no near model as long
as the far one answers) and ours (near, then the difficult ones far) by each discriminator named. Each round runs all
of them, serially (one photo at a time, as the paper: --in-flight 1) and pipelined (run's defaults), in
an order that turns from round to round, so that what else the machine does meets all alike. Loading of
models is not counted; reading and decoding of the photos is.

Discriminators are fitted by `nearfar calibrate` on the photos that are not run (drawn by --seed) from
recordings of both models, which are made first; the upload threshold is the one that uploads the share
--upload there. A discriminator FILE is taken as it is.

Data: the helmet photos and models of the bundle, unless named otherwise. Traces stay in --work, for
`nearfar eval --truth WORK/truth --image-set judge --trace ...`.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUNDLE = pathlib.Path(os.environ.get("NEARFAR_ASSETS", ROOT.parent / "shared/assets"))
MODES = ["serial", "pipelined"]


def say(text):
    print(f"table_xi: {text}", file=sys.stderr, flush=True)


def check(command, **options):
    """Runs a program that must succeed; its stdout."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **options)
    if done.returncode != 0:
        sys.exit(f"table_xi: {' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def pinned(core):
    """Words before a command that hold it to one core."""
    return [] if core < 0 else ["taskset", "-c", str(core)]


def write_truth(folder, truth, corners_from, parts):
    """A VOC folder with the same annotations and the named parts of the photos."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "ImageSets/Main").mkdir(parents=True)
    for name, ids in parts.items():
        (folder / f"ImageSets/Main/{name}.txt").write_text("".join(f"{i}\n" for i in ids))
    if corners_from == 1:
        (folder / "Annotations").symlink_to((truth / "Annotations").resolve())
        return
    (folder / "Annotations").mkdir()
    shift = re.compile(r"(<[xy]m(?:in|ax)>)\s*([0-9.]+)\s*(?=<)")
    for file in (truth / "Annotations").glob("*.xml"):
        text = shift.sub(lambda m: f"{m[1]}{float(m[2]) + 1:g}", file.read_text())
        (folder / "Annotations" / file.name).write_text(text)


class Node:
    """`nearfar node` with the far model, for as long as the `with` lasts."""

    def __init__(self, options):
        self.command = [*options.node_prefix.split(), *pinned(options.far_core), options.nearfar, "node",
                        "--models", options.far, "--threads", "1", "--callers", "1",
                        "--address", options.far_address, "--port", "0", "--json"]
        for setting in options.far_set:
            self.command += ["--set", setting]

    def __enter__(self):
        self.process = subprocess.Popen(list(map(str, self.command)), stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"table_xi: the node did not start: {' '.join(map(str, self.command))}")
        self.port = json.loads(line)["port"]
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def run(options, node, way, mode, photos, trace):
    """One pass over the photos; run's summary."""
    (options.work / "photos.txt").write_text("".join(f"{photo}\n" for photo in photos))
    command = [*pinned(options.near_core), options.nearfar, "run", options.work / "photos.txt",
               "--near", options.near, "--classes", options.classes, "--trace", trace, "--json"]
    for setting in options.near_set:
        command += ["--near-set", setting]
    if way == "edge-only":
        command += ["--discriminator", "edge-only"]
    else:
        command += ["--far", f"{options.far_address}:{node.port}", "--deadline", "60s",
                    "--discriminator", options.judges.get(way, way)]
        if way != "cloud-only" and options.hold_share:
            command += ["--upload-share", options.upload, "--audit", "0"]
        if options.link != "none":
            command += ["--link-model", options.link]
    if mode == "serial":
        command += ["--in-flight", "1"]
    summary = json.loads(check(command))
    if summary["ok"] != len(photos):
        sys.exit(f"table_xi: {way}, {mode}: {len(photos) - summary['ok']} photos are not ok, see {trace}")
    return summary


def record(options, side):
    """A recording of one model over all photos; one that is there already is gone on with."""
    model, settings = (options.near, options.near_set) if side == "near" else (options.far, options.far_set)
    name = re.sub(r"[^A-Za-z0-9.]+", "_", " ".join([model.stem, *settings]))
    file = options.work / f"{name}.rec"
    command = [options.nearfar, "record", options.photo_folder, "-m", model, "-o", file]
    for setting in settings:
        command += ["--set", setting]
    check(command)
    return file


def overlap(a, b):
    """Intersection over union of two boxes x1, y1, x2, y2, ..."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0
    area = width * height
    return area / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - area)


def stretch_of(near, far, classes):
    """By how much near's boxes must be moved outwards to be drawn as far's are: medians over pairs of
    boxes (near scored above 0.4, far above 0.5, the best overlap, at least 0.25), in shares of near's size."""
    def boxes(file, least):
        head, *lines = map(json.loads, file.read_text().splitlines())
        labels = [head["classes"].index(name) for name in classes.split(",")]
        return {line["name"]: [d for d in line["detections"] if d[5] in labels and d[4] > least] for line in lines}
    far_boxes = boxes(far, 0.5)
    shares = []
    for name, found in boxes(near, 0.4).items():
        for a in found:
            b = max(far_boxes[name], key=lambda other: overlap(a, other), default=None)
            if b and overlap(a, b) >= 0.25:
                width, height = a[2] - a[0], a[3] - a[1]
                shares.append(((a[0] - b[0]) / width, (a[1] - b[1]) / height, (b[2] - a[2]) / width,
                               (b[3] - a[3]) / height))
    return len(shares), [round(statistics.median(side), 2) for side in zip(*shares)]


def calibrate(options, name, recordings, truth):
    """The file of a discriminator by name, fitted on the part `fit`."""
    file = options.work / f"{name}.json"
    command = [options.nearfar, "calibrate", "--near", recordings["near"], "--far", recordings["far"],
               "--classes", options.classes, "--discriminator", name,
               "--upload", options.upload, "--goal", options.goal, "-o", file]
    for word in options.param:
        if word.startswith(name + ":"):
            command += ["--param", word[len(name) + 1:]]
    if options.fit_to_truth:
        command += ["--truth", truth, "--image-set", "fit"]
    say(check(command).strip().replace("\n", "\n          "))
    return file


def keep_images(source, part, ids):
    """A recording of these images alone: its head, then a line an image."""
    head, *lines = pathlib.Path(source).read_text().splitlines(keepends=True)
    kept = [line for line in lines if pathlib.Path(json.loads(line)["name"]).stem in ids]
    part.write_text(head + "".join(kept))


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = words.add_argument
    add("--nearfar", type=pathlib.Path, default=ROOT / "build/nearfar")
    add("--truth", type=pathlib.Path, default=BUNDLE / "helmet", help="VOC folder")
    add("--classes", default="helmet")
    add("--corners-from", type=int, choices=[0, 1], default=1, help="how the truth counts px")
    add("--near", type=pathlib.Path, default=BUNDLE / "weights/helmet_yolov8n_rawheads_fp16w.onnx")
    add("--near-size", default="320x320")
    add("--near-set", action="append", default=[], help="further setting over the near model's config.pbtxt")
    add("--stretch", metavar="CLASS", help="draw near's boxes of this class of its own as the far model draws "
        "them, as fitted on the photos that are not run (box.stretch.CLASS)")
    add("--far", type=pathlib.Path, default=BUNDLE / "weights/helmet_yolov5s_rawheads_fp16w.onnx")
    add("--far-set", action="append", default=[], help="setting over the far model's config.pbtxt")
    add("--link", default="up=20Mbit/s down=20Mbit/s delay=5ms", help="`none`: none is modelled")
    add("--discriminator", nargs="+", default=["smallbig", "ridge"], help="names, fitted here, or files")
    add("--param", action="append", default=[], help="of a discriminator, kept at calibration: NAME:KEY=NUMBER")
    add("--upload", type=float, default=0.5)
    add("--hold-share", action="store_true", help="hold the share by --upload-share of run, instead of the "
        "threshold that uploads it among the photos fitted to")
    add("--goal", choices=["accuracy", "objects"], default="accuracy", help="of learned discriminators")
    add("--fit-to-truth", action="store_true", help="calibrate against the annotations")
    add("--near-recording", type=pathlib.Path)
    add("--far-recording", type=pathlib.Path)
    add("--photos", type=int, default=100, help="how many are run")
    add("--rounds", type=int, default=3)
    add("--seed", type=int, default=1)
    add("--modes", nargs="+", choices=MODES, default=MODES)
    add("--near-core", type=int, default=0, help="-1: any")
    add("--far-core", type=int, default=1, help="-1: any")
    add("--far-address", default="127.0.0.1")
    add("--node-prefix", default="", help="words before the node's command, as `ip netns exec NAME`")
    add("--work", type=pathlib.Path, help="folder for recordings, traces, results")
    add("--json", action="store_true")
    options = words.parse_args()
    if not (options.truth.exists() and options.near.exists() and options.far.exists()):
        print(f"left out: no bundle of real photos and weights at {BUNDLE}")
        return
    options.work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="table_xi_"))
    options.work.mkdir(parents=True, exist_ok=True)
    options.photo_folder = options.truth / "JPEGImages"

    photos = sorted(options.photo_folder.glob("*.jpg"))
    random.Random(options.seed).shuffle(photos)
    judged = photos[:options.photos]
    fit = photos[options.photos:]
    truth = options.work / "truth"
    write_truth(truth, options.truth, options.corners_from,
                {"judge": [p.stem for p in judged], "fit": [p.stem for p in fit]})
    options.near_set.insert(0, f"input.size={options.near_size}")
    recordings = {}

    def fit_part(side):
        part = options.work / f"fit-{side}.rec"
        keep_images(getattr(options, f"{side}_recording") or record(options, side), part, {p.stem for p in fit})
        recordings[side] = part

    if options.stretch or not all(pathlib.Path(name).is_file() for name in options.discriminator):
        if not fit:
            sys.exit("table_xi: --photos leaves none to fit to; run fewer, or give a discriminator file")
        fit_part("near")
        fit_part("far")
    if options.stretch:
        pairs, shares = stretch_of(recordings["near"], recordings["far"], options.classes)
        setting = f"box.stretch.{options.stretch}={','.join(f'{share:g}' for share in shares)}"
        say(f"{setting}, from {pairs} pairs of boxes in the {len(fit)} photos that are not run")
        options.near_set.append(setting)
        options.near_recording = None
        fit_part("near")
    options.judges = {}
    for name in options.discriminator:
        if pathlib.Path(name).is_file():
            options.judges[pathlib.Path(name).stem] = name
        else:
            options.judges[name] = calibrate(options, name, recordings, truth)
    ways = ["edge-only", "cloud-only", *options.judges]

    seconds = {(way, mode): [] for way in ways for mode in options.modes}
    summaries = {}
    load = [os.getloadavg()[0]]
    with Node(options) as node:
        run(options, node, "cloud-only", "serial", judged[:3], options.work / "warm.jsonl")
        for turn in range(options.rounds):
            for mode in options.modes:
                for way in ways[turn % len(ways):] + ways[:turn % len(ways)]:
                    trace = options.work / f"{way}-{mode}.jsonl"
                    summary = run(options, node, way, mode, judged, trace)
                    seconds[way, mode].append(summary["elapsed_s"])
                    summaries[way, mode] = summary
                say(f"round {turn + 1}, {mode}: " +
                    ", ".join(f"{way} {seconds[way, mode][-1]:.2f} s" for way in ways))
            load.append(os.getloadavg()[0])

    traces = {way: options.work / f"{way}-{options.modes[0]}.jsonl" for way in ways}
    rows = {}
    for way, trace in traces.items():
        result = json.loads(check([options.nearfar, "eval", "--truth", truth, "--image-set", "judge",
                                   "--classes", options.classes, "--trace", trace, "--json"]))
        rows[way] = next(row for row in result["rows"] if row["role"] == "end-to-end")

    p50 = {key: statistics.median(values) for key, values in seconds.items()}
    ratio = {key: statistics.median(a / b for a, b in zip(values, seconds["cloud-only", key[1]]))
             for key, values in seconds.items()}
    table = [["", *ways]]
    of = lambda name, form: [form(rows[way][name]) for way in ways]
    table.append(["mAP (%)", *of("map_voc07", lambda v: f"{100 * v:.2f}")])
    table.append(["objects found (of the truth)", *of("objects_found", str)])
    table.append(["objects counted (the paper's)", *of("objects_counted", str)])
    for mode in options.modes:
        spread = lambda way: f"{p50[way, mode]:.2f} [{min(seconds[way, mode]):.2f}, {max(seconds[way, mode]):.2f}]"
        table.append([f"total time, {mode} (s)", *map(spread, ways)])
        table.append(["  of cloud-only's, by rounds", *(f"{ratio[way, mode]:.3f}" for way in ways)])
    first = options.modes[0]
    table.append(["upload ratio (%)", *(f"{100 * summaries[way, first]['uploaded'] / len(judged):.2f}" for way in ways)])
    table.append(["sent (MB)", *(f"{summaries[way, first]['bytes_up'] / 2**20:.2f}" for way in ways)])
    widths = [max(len(row[i]) for row in table) for i in range(len(ways) + 1)]
    lines = ["  ".join(cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(row))
             for row in table]
    lines.append("")
    lines.append(f"{len(judged)} photos (seed {options.seed}), {options.rounds} rounds, p50 [least, most]; "
                 f"link {options.link}; near {options.near.stem} {' '.join(options.near_set)}, far {options.far.stem}; "
                 f"discriminators fitted on {len(fit)} other photos for {options.goal}"
                 f"{' and their truth' if options.fit_to_truth else ''}{' '.join(['', *options.param])}; "
                 f"corners from {options.corners_from}")
    for way in options.judges:
        part = lambda name: 100 * rows[way][name] / max(1, rows["cloud-only"][name])
        lines.append(f"{way}: {part('objects_found'):.1f} % of cloud-only's objects found, "
                     f"{part('objects_counted'):.1f} % of those counted")
    lines.append(f"load average before and after the rounds: {', '.join(f'{value:.1f}' for value in load)}")
    text = "\n".join(lines)
    (options.work / "table.txt").write_text(text + "\n")
    result = {"seconds": {f"{way} {mode}": values for (way, mode), values in seconds.items()},
              "ratio": {f"{way} {mode}": value for (way, mode), value in ratio.items()},
              "rows": rows, "load": load, "traces": {way: str(trace) for way, trace in traces.items()}, "link": options.link}
    (options.work / "table.json").write_text(json.dumps(result) + "\n")
    print(json.dumps(result) if options.json else text)
    say(f"traces are in {options.work}")


if __name__ == "__main__":
    main()
