"""Checks that includes in src/ follow layers.txt and that third-party headers stay where they belong.

Usage: check_layers.py SRC_DIR LAYERS_TXT
"""
import pathlib
import re
import sys

# Headers of an engine, a transport or a codec: only the named folder sees them.
CONFINED = {
    r"onnxruntime|onnx/": "adapters",
    r"grpc|google/protobuf": "adapters",
    r"opencv2/|turbojpeg": "adapters",
    r"openssl/": "adapters",
    r"cairo": "adapters",
    r"CLI/": "cli",
    r"yaml-cpp/": ("cli", "data"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)


def read_layers(path):
    layers = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, allowed = line.split(":")
            layers[folder] = set(allowed.split()) | {folder}
    return layers


def main():
    src, layers = pathlib.Path(sys.argv[1]), read_layers(pathlib.Path(sys.argv[2]))
    faults = []
    files = [p for p in sorted(src.rglob("*")) if p.suffix in (".h", ".cc")]
    for path in files:
        folder = path.relative_to(src).parts[0]
        if folder not in layers:
            faults.append(f"{path}: folder '{folder}' has no line in layers.txt")
            continue
        is_test = path.stem.endswith("_test")
        for header in INCLUDE.findall(path.read_text()):
            target = header.split("/")[0]
            if target in layers and target not in layers[folder] and "*" not in layers[folder]:
                if not is_test:
                    faults.append(f"{path}: {folder} must not include {target} ({header})")
            for pattern, homes in CONFINED.items():
                if re.match(pattern, header) and folder not in homes and folder != homes:
                    faults.append(f"{path}: {header} belongs to {homes} alone")
    print("\n".join(faults) or f"{len(files)} files keep to the layers")
    return 1 if faults else 0


sys.exit(main())
