"""Runs the example that every verb's --help ends with, word for word, each in a folder of its own.

Usage: help_examples.py PROGRAM SOURCE_DIR. The folder holds what a checkout has: build/nearfar,
models/ and tests/. Only the port 8001 is replaced, by one that the system picks.
"""
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

PATIENCE_S = 120


def checkout(folder, program, source):
    """Lays out a folder as a built checkout; what is written there stays there."""
    os.makedirs(f"{folder}/build")
    os.symlink(program, f"{folder}/build/nearfar")
    for name in ("examples", "models", "tests"):
        os.symlink(f"{source}/{name}", f"{folder}/{name}")


def run(command, folder):
    return subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)


def example_of(verb, folder):
    help_text = run(f"build/nearfar {verb} --help", folder).stdout
    title, found, example = help_text.partition("Example, in the repository's folder:\n")
    assert found and title, f"{verb} --help has no example:\n{help_text}"
    commands = [line.strip() for line in example.splitlines() if line.strip()]
    assert commands and all(line.startswith("build/nearfar ") for line in commands), example
    assert commands[-1].startswith(f"build/nearfar {verb} "), commands
    return commands


def check_configuration(folder, source):
    """The example of a configuration says that all keys of run stand in it."""
    flags = re.findall(r"^  (?:-\w,)?--([a-z-]+)", run("build/nearfar run --help", folder).stdout, re.MULTILINE)
    with open(f"{source}/examples/small-big.yaml", encoding="utf-8") as file:
        keys = re.findall(r"^(?:# )?([a-z-]+):", file.read(), re.MULTILINE)
    assert set(keys) == set(flags) - {"help", "config", "check"}, set(keys) ^ set(flags)
    assert len(keys) == len(set(keys)), keys


def main():
    program, source = map(os.path.abspath, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as root:
        checkout(f"{root}/at", program, source)
        overview = run("build/nearfar --help", f"{root}/at").stdout
        verbs = re.findall(r"^  ([\w-]+) {2,}\S", overview.partition("Subcommands:")[2], re.MULTILINE)
        assert len(verbs) == 15, overview
        check_configuration(f"{root}/at", source)

        (node,) = example_of("node", f"{root}/at")
        served = subprocess.Popen(shlex.split(node.replace("8001", "0")), cwd=f"{root}/at",
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = re.search(r":(\d+)", served.stdout.readline()).group(1)
            for verb in verbs:
                folder = f"{root}/{verb}"
                checkout(folder, program, source)
                for command in example_of(verb, folder):
                    if verb == "node":
                        continue
                    done = run(command.replace("8001", port), folder)
                    said = f"{command}\n{done.stdout}{done.stderr}"
                    assert done.returncode == 0, f"exit status {done.returncode} of {said}"
                    assert "cannot be used yet" not in done.stderr, said
                print(f"{verb}: fine")
        finally:
            served.send_signal(signal.SIGINT)
            status = served.wait(PATIENCE_S)
        assert status == 0, f"the node ended with {status}"


main()
