#!/usr/bin/env python3
"""Memory of `nearfar run` and `nearfar node` over many pictures, all sinks on.

    soak.py [--nearfar build/nearfar] [--early 2000] [--late 20000] [--work DIR]

Draws 200 pictures of the fixture scene (seed 7) and lets `run` go over them again and again with the
models of models/, each picture sent to a node in a second process; trace, COCO results, annotated
pictures and video are written. Named pipes among the pictures hold the run while the memory of both
processes is read, after EARLY and after LATE pictures. Exit status 1 when either has grown by more than
5 %, or when a picture has no answer of the far model.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def memory_mb(pid):
    """Resident now and at most, in 2^20 bytes."""
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return [int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM")]


def soak(options, work):
    scene = work / "scene"
    subprocess.run([options.nearfar, "scene", "--out", scene, "--seed", "7", "--split", "all=200"],
                   check=True, stdout=subprocess.DEVNULL)
    pictures = sorted((scene / "JPEGImages").glob("*.jpg"))
    gates = [work / f"gate{count}.jpg" for count in (options.early, options.late)]
    for gate in gates:
        os.mkfifo(gate)
    lines = [pictures[i % len(pictures)] for i in range(options.late)]
    lines[options.early:options.early] = [gates[0]]
    lines.append(gates[1])
    (work / "list.txt").write_text("".join(f"{line}\n" for line in lines))

    node = subprocess.Popen([options.nearfar, "node", "--models", ROOT / "models/scene_far", "--port", "0", "--json"],
                            stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(node.stdout.readline())["port"]
        run = subprocess.Popen(
            [options.nearfar, "run", work / "list.txt", "--near", ROOT / "models/scene_near",
             "--far", f"127.0.0.1:{port}/scene_far", "--discriminator", "cloud-only", "--deadline", "60s",
             "--trace", work / "run.jsonl", "--coco", work / "results.json", "--annotate", work / "drawn",
             "--video", work / "drawn.mp4", "--json"], stdout=subprocess.PIPE, text=True)
        start = time.monotonic()
        at = []
        for gate in gates:
            with open(gate, "wb") as pipe:  # returns once the run reads it
                at.append({"run": memory_mb(run.pid), "node": memory_mb(node.pid)})
                pipe.write(pictures[0].read_bytes())
        summary = json.loads(run.communicate()[0])
        seconds = time.monotonic() - start
    finally:
        node.terminate()
        node.wait()
    print(f"{summary['frames']} pictures in {seconds:.0f} s, {summary['ok']} with the far model's answer, "
          f"exit status {run.returncode}")
    kept = run.returncode == 0 and summary["ok"] == options.late + 2
    for who in ("run", "node"):
        (rss, peak), (late_rss, late_peak) = (moment[who] for moment in at)
        print(f"{who:4}: {rss:6.1f} MB resident (at most {peak:6.1f}) after {options.early} pictures, "
              f"{late_rss:6.1f} MB (at most {late_peak:6.1f}) after {options.late}: ratio {late_rss / rss:.3f}")
        kept &= late_rss <= 1.05 * rss
    return 0 if kept else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nearfar", type=pathlib.Path, default=ROOT / "build/nearfar")
    parser.add_argument("--early", type=int, default=2000)
    parser.add_argument("--late", type=int, default=20000)
    parser.add_argument("--work", help="folder for what is written, 1 GB for 20,000 pictures; default: the system's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        return soak(options, pathlib.Path(work))


if __name__ == "__main__":
    sys.exit(main())
