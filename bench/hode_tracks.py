#!/usr/bin/env python3
"""The second paper's experiment on recorded tracks, simulated: whole 4K frames, the paper's HODE as
printed, and ours, over the same five nodes, scene by scene.

    bench/hode_tracks.py build/nearfar bench/hode_nodes.yaml ../shared/assets/tracks [--frames N]

Detectors, nodes and links stand in the YAML. Every scene runs at 10 frames of its own time per second,
the next frame as soon as there is room; the flow filter of ours begins with what it has learned on the
other scenes of its kind (--alone: with nothing). AP at IoU .5 of persons is modelled: what the detectors of the YAML find of the tracks.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

SCENES = {
    "drone": ["SDD/*.txt.gz"],
    "MOT": ["MOT17_gt/*.gt.txt.gz", "MOT20_boosttrack/*.txt.gz"],
}
# Ours as it is compared here; the paper's planners run as they are printed.
OURS = ["--tile", "384", "--person-score", "0.6", "--target-recall", "0.95"]


def simulate(args, scene, planner, flags):
    command = [args.nearfar, "simulate", planner, "--config", args.setting, "--tracks", str(scene),
               "--frames", str(args.frames), "--seed", str(args.seed), "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nearfar")
    parser.add_argument("setting")
    parser.add_argument("tracks")
    parser.add_argument("--frames", type=int, default=0, help="per scene; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planners", default="elf,hode-printed,hode")
    parser.add_argument("--ours", default=" ".join(OURS), help="flags of hode")
    parser.add_argument("--alone", action="store_true")
    args = parser.parse_args()
    planners = args.planners.split(",")

    print("scene                  infer-4k fps    AP50 " +
          "".join(f"| {p:>13} fps  ratio    AP50  dAP " for p in planners))
    ratios = {}
    losses = {}
    folder = tempfile.TemporaryDirectory()
    for kind, patterns in SCENES.items():
        scenes = sorted(p for pattern in patterns for p in pathlib.Path(args.tracks).glob(pattern))
        states = {scene: pathlib.Path(folder.name) / f"{scene.name}.state" for scene in scenes}
        if "hode" in planners and not args.alone:
            for scene in scenes:
                simulate(args, scene, "hode", [*args.ours.split(), "--state", str(states[scene])])
        for scene in scenes:
            pool = []
            for other in scenes:
                if other != scene and not args.alone:
                    pool += ["--pool", str(states[other])]
            base = simulate(args, scene, "infer-4k", [])
            line = f"{kind:5} {scene.name.split('.')[0]:20} {base['fps']:8.2f} {100 * base['ap50']:7.1f} "
            for planner in planners:
                row = simulate(args, scene, planner, [*args.ours.split(), *pool] if planner == "hode" else [])
                ratio = row["fps"] / base["fps"]
                loss = 100 * (row["ap50"] - base["ap50"])
                ratios.setdefault((kind, planner), []).append(ratio)
                losses.setdefault((kind, planner), []).append(loss)
                line += f"| {row['fps']:17.2f} {ratio:6.2f} {100 * row['ap50']:7.1f} {loss:+5.1f}"
            print(line, flush=True)
    print()
    for (kind, planner), values in ratios.items():
        print(f"{kind:5} {planner:13} {len(values)} scenes: ratio geometric mean "
              f"{statistics.geometric_mean(values):.2f}, least {min(values):.2f}; AP points against "
              f"infer-4k mean {statistics.mean(losses[kind, planner]):+.1f}, "
              f"least {min(losses[kind, planner]):+.1f}")


main()
