"""Memory of `nearfar run` over many pictures, all sinks on: resident size after EARLY and after LATE.

Usage: run_soak.py NEARFAR MODEL FOLDER [EARLY LATE] [-- FURTHER FLAGS OF RUN]
Named pipes among the pictures hold the run while its memory is read. Prints one line and fails when
the later size exceeds the earlier one by more than 5 %.
"""
import os
import subprocess
import sys
import tempfile


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def main():
    arguments = sys.argv[1:]
    further = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, further = arguments[:at], arguments[at + 1:]
    program, model, folder = arguments[:3]
    early, late = (int(n) for n in arguments[3:5]) if len(arguments) > 3 else (2000, 20000)
    pictures = sorted(os.path.abspath(os.path.join(folder, name)) for name in os.listdir(folder)
                      if name.lower().endswith((".jpg", ".png")))
    with tempfile.TemporaryDirectory() as work:
        gates = [os.path.join(work, f"gate{n}.jpg") for n in (early, late)]
        for gate in gates:
            os.mkfifo(gate)
        lines = [pictures[i % len(pictures)] for i in range(late)]
        lines[early:early] = [gates[0]]
        lines.append(gates[1])
        with open(os.path.join(work, "list.txt"), "w") as file:
            file.write("\n".join(lines) + "\n")
        outputs = ["--trace", f"{work}/run.jsonl", "--coco", f"{work}/results.json",
                   "--annotate", f"{work}/drawn", "--video", f"{work}/drawn.mp4"]
        run = subprocess.Popen([program, "run", f"{work}/list.txt", "--near", model, *outputs,
                                *further])
        with open(pictures[0], "rb") as file:
            picture = file.read()
        sizes = []
        for gate in gates:
            with open(gate, "wb") as pipe:  # waits until the run reads it
                sizes.append(resident_kb(run.pid))
                pipe.write(picture)
        status = run.wait()
    ratio = sizes[1] / sizes[0]
    print(f"resident: {sizes[0]} kB after {early} pictures, {sizes[1]} kB after {late}, "
          f"ratio {ratio:.3f}; exit status {status}")
    return 0 if ratio <= 1.05 and status == 0 else 1


sys.exit(main())
