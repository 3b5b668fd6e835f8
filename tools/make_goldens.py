#!/usr/bin/env python3
"""Makes tests/goldens: small detectors of each family with random weights, from the family's own
library, and what that library says of three synthetic photos.

    .deps/goldens/bin/python tools/make_goldens.py [CASE...]     (see tools/goldens_requirements.txt)

Each case is a model package (config.pbtxt, labels.txt, 1/model.onnx) with an expected.json beside it:
for each photo `boxes`, all that the library's own decoding gives before NMS with a score of at least
0.05 (x1, y1, x2, y2 in px of the photo, unclipped; score; class), best first, every class of a box
counting; and, as places in that list, `before_best_class` (only the best class of each box), `after`
and `after_best_class` (what per-class NMS at IoU 0.5 leaves of the two).
The pixels on their way in are prepared, and the boxes on their way out scaled, by
tests/parity/reference.py. Networks are cut down hard (a few channels, 5 classes); what is under test
is what lies around them. Their last layers are scaled so that scores and sizes spread out as in a
trained detector's, and the seed is the first with enough boxes and no decision on a knife's edge.
"""
import argparse
import dataclasses
import json
import logging
import math
import os
import pathlib
import shutil
import sys
import tempfile
import types
import typing

os.environ["YOLO_AUTOINSTALL"] = "False"
os.environ["YOLO_VERBOSE"] = "False"

import numpy as np
import onnx
import torch
from PIL import Image
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "parity"))
import reference  # noqa: E402

GOLDENS = ROOT / "tests" / "goldens"
NAMES = ["person", "car", "dog", "chair", "bottle"]
FLOOR, IOU = 0.05, 0.5
WANTED = 130  # boxes scored >= FLOOR per photo, about


# ---------------------------------------------------------------- photos


def synthetic_photo(width, height, seed):
    """Gradients, rectangles, discs and coarse noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    photo = np.stack([rng.uniform(40, 200) + rng.uniform(-60, 60) * np.cos(
        x / width * rng.uniform(1, 5) + y / height * rng.uniform(1, 5)) for _ in range(3)], -1)
    for _ in range(14):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        rx, ry = rng.uniform(3, width / 4), rng.uniform(3, height / 4)
        inside = (np.abs(x - cx) < rx) & (np.abs(y - cy) < ry)
        if rng.random() < 0.5:
            inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        photo[inside] = rng.uniform(0, 255, 3)
    noise = rng.normal(0, 12, (-(-height // 3), -(-width // 3), 3))
    photo += noise.repeat(3, 0).repeat(3, 1)[:height, :width]
    return (np.clip(photo, 0, 255) // 4 * 4).astype(np.uint8)  # coarse levels: a small PNG


PHOTOS = {"photo_wide": (161, 97), "photo_tall": (83, 140), "photo_large": (203, 150)}


# ---------------------------------------------------------------- a golden


@dataclasses.dataclass
class Input:
    """What goes into the graph and how a photo is prepared for it."""
    width: int
    height: int
    fit: str = "centred"
    colour: str = "RGB"
    mean: tuple = (0, 0, 0)
    std: tuple = (255, 255, 255)
    pad: int = 114

    def tensor(self, rgb):
        canvas, fit = reference.fit_photo(rgb, self.width, self.height, self.fit, self.pad)
        return torch.from_numpy(reference.to_tensor(canvas, self.colour, self.mean, self.std)), fit


@dataclasses.dataclass
class Golden:
    """One network, its family's decoding, and how it is written out."""
    network: nn.Module
    input: Input
    decode: typing.Callable      # tensor -> boxes in px of the input [n, 4], scores [n, classes]
    finals: list                 # (convolution, mean per channel, spread per channel)
    quieten: typing.Callable     # lowers all scores by a logit
    export: typing.Callable      # path -> None
    source: str                  # library, and which of its functions decode
    config: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)
    labels: list = dataclasses.field(default_factory=lambda: NAMES)
    edge: float = 1e-4           # decisions closer than this are avoided
    wanted: int = WANTED
    replay: typing.Callable = None  # outputs of ONNX Runtime -> boxes, scores: replaces `decode` in
                                    # what is written, where the graph's arithmetic is its own


def calibrate(golden, tensors):
    """Batch statistics and last layers from the photos."""
    batch = torch.cat(tensors)
    norms = [m for m in golden.network.modules() if isinstance(m, nn.BatchNorm2d)]
    golden.network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        golden.decode(batch)
    for norm in norms:
        norm.eval()
        norm.momentum = 0.1
    seen = {}
    hooks = [conv.register_forward_hook(lambda m, _, out: seen.__setitem__(m, out.detach()))
             for conv, _, _ in golden.finals]
    with torch.no_grad():
        golden.decode(batch)
        for hook in hooks:
            hook.remove()
        for conv, mean, spread in golden.finals:
            out = seen[conv].permute(1, 0, 2, 3).flatten(1).double()
            gain = torch.as_tensor(spread).double() / (out.std(1) + 1e-6)
            offset = torch.as_tensor(mean).double() - out.mean(1) * gain
            conv.weight.data = (conv.weight.data.double() * gain[:, None, None, None]).float()
            conv.bias.data = (conv.bias.data.double() * gain + offset).float()
        low, high = -12.0, 12.0  # bisect the loudness
        for _ in range(14):
            middle = (low + high) / 2
            golden.quieten(middle)
            count = np.mean([(golden.decode(t)[1] >= FLOOR).sum() for t in tensors])
            golden.quieten(-middle)
            low, high = (middle, high) if count > golden.wanted else (low, middle)
        golden.quieten(low)


def rows_of(boxes, scores, fit, all_classes, floor=FLOOR):
    return reference.candidates(fit.to_photo(boxes), np.asarray(scores, np.float64), floor, all_classes)


def steady(rows, edge):
    """Whether the kept boxes stay the same when overlaps and scores move a little."""
    def kept(order, iou):
        return {tuple(r) for r in reference.nms(order, iou)}
    base = kept(rows, IOU)
    if any(kept(rows, IOU + d) != base for d in (-edge, edge)):
        return False
    for label in np.unique(rows[:, 5]):
        own = rows[rows[:, 5] == label]
        near = (np.abs(own[:, None, 4] - own[None, :, 4]) < edge) & (
            reference.iou_matrix(own[:, :4], own[:, :4]) > IOU - edge)
        if near.sum() > len(own):
            return False
    return np.all(np.abs(rows[:, 4] - FLOOR) > edge / 10)


def expected_of(golden, photos, decode):
    """The answer for each photo, or None where it would be a poor test."""
    answer = {}
    for name, rgb in photos.items():
        tensor, fit = golden.input.tensor(rgb)
        boxes, scores = decode(tensor)
        rows, best = rows_of(boxes, scores, fit, True), rows_of(boxes, scores, fit, False)
        after, after_best = reference.nms(rows, IOU), reference.nms(best, IOU)
        if min(len(after), len(after_best)) < 20 or np.ptp(rows[:, 4]) < 0.2:
            return None
        if not (steady(rows, golden.edge) and steady(best, golden.edge)):
            return None
        place = {tuple(row): i for i, row in enumerate(rows)}
        answer[name] = {
            "boxes": [[*np.round(r[:4], 2).tolist(), round(float(r[4]), 5), int(r[5])] for r in rows],
            "before_best_class": [place[tuple(r)] for r in best],
            "after": [place[tuple(r)] for r in after],
            "after_best_class": [place[tuple(r)] for r in after_best]}
    return answer


def session_of(path):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def make(name, build, photos):
    for seed in range(200):
        torch.manual_seed(seed)
        golden = build()
        tensors = [golden.input.tensor(rgb)[0] for rgb in photos.values()]
        with torch.no_grad():
            calibrate(golden, tensors)
            answer = expected_of(golden, photos, golden.decode)
            if answer is None:
                continue
            folder = GOLDENS / name
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "1").mkdir(parents=True)
            model = folder / "1" / "model.onnx"
            golden.export(model)
        session = session_of(model)
        slim(model)
        session = session_of(model)
        worst = 0
        if golden.replay:
            def replay(tensor):
                return golden.replay(session, tensor)
            if golden.edge <= 1e-4:  # the same numbers as the library's, by another way
                for tensor in tensors:
                    for a, b in zip(replay(tensor), golden.decode(tensor)):
                        worst = max(worst, np.abs(np.asarray(a) - np.asarray(b)).max())
                if worst > 1e-2:
                    print(f"{name}: seed {seed}: the exported graph differs by {worst:.1e}, next")
                    continue
            else:
                answer = expected_of(golden, photos, replay)
                if answer is None:
                    continue
        break
    else:
        raise SystemExit(f"{name}: no seed gives a fit test")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in golden.labels))
    (folder / "config.pbtxt").write_text(config_text(name, golden, session))
    for file, text in golden.files.items():
        (folder / file).write_text(text)
    lines = [f'  "source": {json.dumps(golden.source)},', f'  "seed": {seed},',
             f'  "score_floor": {FLOOR}, "iou": {IOU},', '  "photos": {']
    blocks, counts = [], []
    for photo, record in answer.items():
        inner = ",\n        ".join(json.dumps(row, separators=(",", ":")) for row in record.pop("boxes"))
        lists = ",\n".join(f'      "{key}": {json.dumps(value, separators=(",", ":"))}'
                           for key, value in record.items())
        counts.append((len(record["before_best_class"]), len(record["after"]), len(record["after_best_class"])))
        blocks.append(f'    "{photo}": {{\n      "boxes": [\n        {inner}],\n{lists}}}')
    (folder / "expected.json").write_text("{\n" + "\n".join(lines) + "\n" + ",\n".join(blocks) + "\n  }\n}\n")
    sizes = {p.name: p.stat().st_size // 1024 for p in folder.rglob("*") if p.is_file()}
    print(f"{name:24} seed {seed:3} counts {counts} graph-vs-library {worst:.1e} KB {sizes}", flush=True)


def slim(path):
    """Removes what says when and where a graph was made, and the paths of the exporter's source lines."""
    model = onnx.load(str(path))
    for prop in list(model.metadata_props):
        if prop.key == "date":
            model.metadata_props.remove(prop)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, str(path))


# ---------------------------------------------------------------- packages


def config_text(name, golden, session):
    """The Triton model configuration, with what nearfar adds in `parameters`."""
    kinds = {"tensor(float)": "TYPE_FP32", "tensor(float16)": "TYPE_FP16", "tensor(uint8)": "TYPE_UINT8"}
    def tensors(values):
        return ",\n".join(
            f'  {{ name: "{v.name}" data_type: {kinds[v.type]} dims: '
            f'[{", ".join(str(d) if isinstance(d, int) else "-1" for d in v.shape)}] }}' for v in values)
    own = {"nearfar.input.resize": {"stretch": "stretch", "centred": "letterbox",
                                    "topleft": "letterbox-top-left"}[golden.input.fit],
           "nearfar.input.channels": golden.input.colour.lower()}
    if any(not isinstance(d, int) for d in session.get_inputs()[0].shape):
        own["nearfar.input.size"] = f"{golden.input.width}x{golden.input.height}"
    if session.get_inputs()[0].type == "tensor(uint8)":
        own |= {"nearfar.input.layout": "nhwc"}
    else:
        number = lambda v: ",".join(f"{x:g}" for x in v)
        own |= {"nearfar.input.scale": "1", "nearfar.input.mean": number(golden.input.mean),
                "nearfar.input.std": number(golden.input.std)}
    if golden.input.fit != "stretch":
        own["nearfar.input.pad"] = str(golden.input.pad)
    own |= {f"nearfar.{k}": v for k, v in golden.config.items()}
    parameters = "".join(f'parameters: {{ key: "{k}" value: {{ string_value: "{v}" }} }}\n'
                         for k, v in own.items())
    return (f'name: "{name}"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 0\n'
            f"input [\n{tensors(session.get_inputs())}\n]\noutput [\n{tensors(session.get_outputs())}\n]\n"
            f"{parameters}")


# ---------------------------------------------------------------- families


def write_onnx(network, path, example, inputs=("images",), outputs=("output",), dynamic=None):
    logging.disable(logging.WARNING)
    torch.onnx.export(network, example, str(path), opset_version=12, input_names=list(inputs),
                      output_names=list(outputs), dynamic_axes=dynamic, do_constant_folding=True,
                      training=torch.onnx.TrainingMode.PRESERVE)


class Lambda(nn.Module):
    """A network with another forward pass around it, for export."""

    def __init__(self, network, forward):
        super().__init__()
        self.network, self.run = network, forward
        self.training = network.training

    def forward(self, x):
        return self.run(x)


def xywh_rows(rows, objectness):
    return reference.dense_rows(np.asarray(rows), objectness)


def run_rows(objectness, transpose=False):
    def replay(session, tensor):
        rows = session.run(None, {session.get_inputs()[0].name: tensor.numpy()})[0][0]
        return xywh_rows(rows.T if transpose else rows, objectness)
    return replay


def add_bias(convs, channels):
    """A `quieten` that lowers the given channels of the convolutions."""
    def quieten(delta):
        for conv in convs:
            conv.bias.data[channels(conv)] -= delta
    return quieten


def anchor_head_finals(convs, anchors, classes, wh_mean=0.0, wh_spread=0.7):
    """Spread of raw heads [a*(5+c)]: centres anywhere, sizes around the anchor, sparse scores."""
    mean = [0.0, 0.0, wh_mean, wh_mean, -1.0] + [-0.5] * classes
    spread = [1.2, 1.2, wh_spread, wh_spread, 2.0] + [1.8] * classes
    return [(conv, mean * anchors, spread * anchors) for conv in convs]


def objectness_channels(conv, classes=len(NAMES)):
    return torch.arange(conv.out_channels) % (5 + classes) == 4


# ----- Ultralytics: YOLO11, YOLOv8

ULTRALYTICS = {
    "yolo11": ("C3k2", "[{c}, False, 0.25]"),
    "yolov8": ("C2f", "[{c}, True]"),
}


def ultralytics_network(family):
    """The library's model of a small description: its blocks, its head, three levels."""
    from ultralytics import YOLO
    block, arguments = ULTRALYTICS[family]
    stage = lambda c: f"  - [-1, 1, Conv, [{c}, 3, 2]]\n  - [-1, 1, {block}, {arguments.format(c=c)}]\n"
    text = (f"nc: {len(NAMES)}\nbackbone:\n  - [-1, 1, Conv, [8, 3, 2]]\n  - [-1, 1, Conv, [8, 3, 2]]\n"
            f"{stage(16)}{stage(16)}{stage(16)}  - [-1, 1, SPPF, [16, 5]]\nhead:\n"
            "  - [-1, 1, nn.Upsample, [None, 2, nearest]]\n  - [[-1, 5], 1, Concat, [1]]\n"
            f"  - [-1, 1, {block}, {arguments.format(c=16)}]\n  - [[3, 11, 8], 1, Detect, [nc]]\n")
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / f"{family}.yaml").write_text(text)
    model = YOLO(str(folder / f"{family}.yaml"), task="detect")
    network = model.model
    network.names = dict(enumerate(NAMES))
    head = network.model[-1]
    for branch in head.cv2:  # the box branch is 64 wide whatever the network: narrowed
        width = branch[0].conv.in_channels
        conv = lambda a, b: type(branch[0])(a, b, 3)
        branch[0], branch[1] = conv(width, 8), conv(8, 8)
        branch[2] = nn.Conv2d(8, 4 * head.reg_max, 1)
    for p in network.parameters():
        p.requires_grad = False
    return model, network, head


def ultralytics_golden(family, width, height, dynamic=False, raw=False):
    def build():
        model, network, head = ultralytics_network(family)
        bins = head.reg_max
        finals = [(b[-1], [-0.5 * i for i in range(bins)] * 4, [1.3] * (4 * bins)) for b in head.cv2]
        finals += [(c[-1], [-4.0] * len(NAMES), [2.0] * len(NAMES)) for c in head.cv3]

        def decode(tensor):
            rows = network(tensor)
            rows = (rows[0] if isinstance(rows, (tuple, list)) else rows)[0].T
            return xywh_rows(rows, False)

        def export(path):
            if raw:
                def heads(x):
                    kept = []
                    original = head.forward
                    head.forward = lambda levels: [torch.cat([b(f), c(f)], 1) for b, c, f in
                                                   zip(head.cv2, head.cv3, levels)]
                    kept = network(x)
                    head.forward = original
                    return tuple(kept)
                axes = {"images": {2: "h", 3: "w"}}
                axes |= {f"p{s}": {2: f"h{s}", 3: f"w{s}"} for s in (8, 16, 32)}
                write_onnx(Lambda(network, heads), path, torch.zeros(1, 3, height, width),
                           outputs=("p8", "p16", "p32"), dynamic=axes)
                graph = onnx.load(str(path))
                prop = graph.metadata_props.add()
                prop.key, prop.value = "names", str(dict(enumerate(NAMES)))
                onnx.save(graph, str(path))
                return
            model.overrides["model"] = "golden.yaml"
            network.pt_path = str(path.with_suffix(".pt"))
            model.export(format="onnx", imgsz=[height, width], dynamic=dynamic, simplify=False, opset=12,
                         device="cpu")

        what = f"ultralytics 8.4.0, {family} blocks and Detect head, "
        what += ("heads before decoding (outputs of cv2 and cv3); decoded by Detect._inference" if raw else
                 "its ONNX exporter" + (", dynamic=True" if dynamic else "") + "; decoded by Detect._inference")
        return Golden(network, Input(width, height), decode, finals,
                      add_bias([c[-1] for c in head.cv3], lambda c: slice(None)), export, what,
                      config={"decoder": "dfl" if raw else "yolo-concat"},
                      replay=None if raw else run_rows(False, True))
    return build


# ----- YOLOv5 (PyPI package of the original)


def small_anchors():
    return [[6, 8, 9, 18, 14, 12], [18, 30, 32, 24, 28, 48], [56, 44, 72, 90, 120, 80]]


def yolov5_network():
    from yolov5.models.yolo import DetectionModel
    stage = lambda c: [[-1, 1, "Conv", [c, 3, 2]], [-1, 1, "C3", [c]]]
    model = DetectionModel({
        "nc": len(NAMES), "depth_multiple": 1.0, "width_multiple": 1.0, "anchors": small_anchors(),
        "backbone": [[-1, 1, "Conv", [8, 6, 2, 2]], [-1, 1, "Conv", [8, 3, 2]], *stage(16), *stage(16),
                     *stage(16), [-1, 1, "SPPF", [16, 5]]],
        "head": [[[3, 5, 8], 1, "Detect", ["nc", "anchors"]]]}, ch=3)
    model.names = dict(enumerate(NAMES))
    for p in model.parameters():
        p.requires_grad = False
    return model, model.model[-1]


def set_meta(path, **values):
    graph = onnx.load(str(path))
    for key, value in values.items():
        prop = graph.metadata_props.add()
        prop.key, prop.value = key, str(value)
    onnx.save(graph, str(path))


ANCHORS_TEXT = ";".join(",".join(map(str, level)) for level in small_anchors())


def yolov5_golden(width, height, half=False):
    def build():
        network, head = yolov5_network()

        def decode(tensor):
            return xywh_rows(network(tensor)[0][0], True)

        def export(path):
            import yolov5.export as exporter
            exporter.check_requirements = lambda *_a, **_k: None
            head.export, head.dynamic = True, False
            network.fuse()
            network(torch.zeros(1, 3, height, width))
            logging.disable(logging.WARNING)
            result = exporter.export_onnx(network, torch.zeros(1, 3, height, width), path.with_suffix(".pt"), 12,
                                          False, False)
            if result is None or not path.exists():
                raise SystemExit("yolov5's exporter failed")
            head.export = False

            if half:
                from onnxruntime.transformers import float16
                onnx.save(float16.convert_float_to_float16(onnx.load(str(path)), keep_io_types=False), str(path))

        def replay_half(session, tensor):
            rows = session.run(None, {"images": tensor.numpy().astype(np.float16)})[0][0]
            return xywh_rows(rows.astype(np.float32), True)

        what = "yolov5 7.0.14 (the original as a package), its ONNX exporter; decoded by models.yolo.Detect"
        if half:
            what += "; converted to fp16 with its input and output, as run by ONNX Runtime in Python"
        return Golden(network, Input(width, height), decode, anchor_head_finals(head.m, 3, len(NAMES)),
                      add_bias(head.m, objectness_channels), export, what, config={"decoder": "yolo-concat"},
                      edge=3e-4 if half else 1e-4, wanted=90 if half else WANTED,
                      replay=replay_half if half else run_rows(True))
    return build


# ----- YOLOv7 (PyPI package of the original)


def yolov7_golden(width, height, form):
    """`concat`: export.py --grid; `levels`: export.py without it, [1,3,h,w,5+c] per level; `heads`:
    the last convolutions, [1,3*(5+c),h,w], of free size."""
    def build():
        import yolov7_package.models.yolo as yolo
        logging.disable(logging.WARNING)
        conv = lambda c, s: [-1, 1, "Conv", [c, 3, s]]
        network = yolo.Model({
            "nc": len(NAMES), "depth_multiple": 1.0, "width_multiple": 1.0, "anchors": small_anchors(),
            "backbone": [conv(8, 2), conv(8, 2), conv(16, 1), conv(16, 2), conv(16, 1), conv(16, 2), conv(24, 1),
                         [-1, 1, "MP", []], conv(24, 1)],
            "head": [[[4, 6, 8], 1, "IDetect", ["nc", "anchors"]]]}, ch=3)
        head = network.model[-1]
        for p in network.parameters():
            p.requires_grad = False
        for knowledge in head.im:  # as trained ones: about 1, where the package starts at 0
            knowledge.implicit.data.normal_(1.0, 0.1)

        def decode(tensor):
            head.export = head.concat = False
            head.training = False
            return xywh_rows(network(tensor)[0][0], True)

        def export(path):
            # As export.py: fused (implicit knowledge folded into the convolutions), then traced.
            network.fuse()
            example = torch.zeros(1, 3, height, width)
            head.training = False
            if form == "concat":
                head.concat = True
                write_onnx(network, path, example)
                head.concat = False
            elif form == "levels":
                head.export = True
                write_onnx(network, path, example, outputs=("output", "level1", "level2"))
                head.export = head.training = False
            else:
                def heads(x):
                    original = head.forward
                    head.forward = lambda levels: [m(f) for m, f in zip(head.m, levels)]
                    out = network(x)
                    head.forward = original
                    return tuple(out)
                axes = {"images": {2: "h", 3: "w"}}
                axes |= {f"p{s}": {2: f"h{s}", 3: f"w{s}"} for s in (8, 16, 32)}
                write_onnx(Lambda(network, heads), path, example, outputs=("p8", "p16", "p32"), dynamic=axes)
                set_meta(path, anchors=head.anchor_grid.view(3, 3, 2).tolist(), names=NAMES)

        what = ("yolov7-package 0.0.13 (the original as a package), IDetect; decoded by models.yolo.IDetect; "
                + {"concat": "exported fused, with grid and concat", "levels": "exported fused, without grid",
                   "heads": "last convolutions, fused, anchors in the metadata"}[form])
        return Golden(network, Input(width, height), decode, anchor_head_finals(head.m, 3, len(NAMES)),
                      add_bias(head.m, objectness_channels), export, what,
                      config={"decoder": "yolo-concat"} if form == "concat" else
                      {"decoder": "yolo-anchors", "decoder.sizes": "square"} | (
                          {"decoder.anchors": ANCHORS_TEXT} if form == "levels" else {}),
                      replay=run_rows(True) if form == "concat" else None)
    return build


# ----- YOLOv4 (PyPI package of pytorch-YOLOv4, which reads Darknet's own cfg)

DARKNET = """[net]
width={width}
height={height}
channels=3
""" + "".join(f"[convolutional]\nbatch_normalize=1\nfilters={f}\nsize=3\nstride=2\npad=1\nactivation=mish\n"
              for f in (8, 8, 16)) + "".join(
    stage + f"[convolutional]\nsize=1\nstride=1\npad=1\nfilters={3 * (5 + len(NAMES))}\nactivation=linear\n"
    f"[yolo]\nmask={mask}\nanchors=3,4, 5,9, 10,7, 9,19, 19,14, 18,36, 36,28, 48,61, 115,100\n"
    f"classes={len(NAMES)}\nnum=9\nscale_x_y={scale}\n" for mask, scale, stage in (
        ("0,1,2", 1.2, ""),
        ("3,4,5", 1.1, "[route]\nlayers=-3\n[convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\nstride=2\n"
                       "pad=1\nactivation=mish\n"),
        ("6,7,8", 1.05, "[route]\nlayers=-3\n[convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\nstride=2\n"
                        "pad=1\nactivation=mish\n")))


def yolov4_golden(width, height, raw):
    def build():
        from yolov4.tool.darknet2pytorch import Darknet
        path = pathlib.Path(tempfile.mkdtemp()) / "golden.cfg"
        path.write_text(DARKNET.format(width=width, height=height))
        network = Darknet(str(path), inference=True)
        for p in network.parameters():
            p.requires_grad = False
        convs = [m[0] for m in network.models if isinstance(m, nn.Sequential) and isinstance(m[-1], nn.Identity)]

        def unpack(boxes, confs):
            boxes = np.asarray(boxes, np.float64).reshape(-1, 4) * [width, height, width, height]
            return boxes, np.asarray(confs, np.float64)

        def set_raw(on):
            for m in network.modules():
                m.training = False
            network.training = on
            for m in network.models:
                if type(m).__name__ == "YoloLayer":
                    m.training = on

        def decode(tensor):
            outputs = [network(t[None]) for t in tensor]
            return unpack(outputs[0][0][0], outputs[0][1][0])

        def export(file):
            example = torch.zeros(1, 3, height, width)
            if raw:
                set_raw(True)
                write_onnx(Lambda(network, lambda x: tuple(network(x))), file, example, inputs=("input",),
                           outputs=("head8", "head16", "head32"))
                set_raw(False)
            else:
                write_onnx(network, file, example, inputs=("input",), outputs=("boxes", "confs"))

        def replay(session, tensor):
            boxes, confs = session.run(["boxes", "confs"], {"input": tensor.numpy()})
            return unpack(boxes[0], confs[0])

        what = "wf-pytorch-yolo-v4 0.2.2 (pytorch-YOLOv4 as a package) on a small Darknet cfg, "
        what += ("the heads before its YoloLayer; " if raw else "its boxes/confs export; ") + "decoded by YoloLayer"
        return Golden(network, Input(width, height, "stretch"), decode,
                      anchor_head_finals(convs, 3, len(NAMES), 0.0, 0.5),
                      add_bias(convs, objectness_channels), export, what,
                      config={"decoder": "yolo-anchors", "decoder.sizes": "exp", "decoder.xy_scale": "1.2,1.1,1.05",
                              "decoder.anchors": "3,4,5,9,10,7;9,19,19,14,18,36;36,28,48,61,115,100"} if raw else
                      {"decoder": "ssd", "decoder.boxes": "decoded", "decoder.units": "normalised",
                       "decoder.outputs": "boxes,confs"},
                      replay=None if raw else replay)
    return build


# ----- SSD (torchvision)


def ssd_golden(width, height, form):
    """`decoded`, `priors` (raw heads and a table), or `uint8` (as TensorFlow's: NHWC bytes in)."""
    def build():
        from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
        from torchvision.models.detection.image_list import ImageList
        from torchvision.models.detection.ssd import SSD, SSDHead
        from torchvision.ops import boxes as box_ops

        class Trunk(nn.Module):
            def __init__(self):
                super().__init__()
                step = lambda a, b, s: nn.Sequential(nn.Conv2d(a, b, 3, s, 1), nn.BatchNorm2d(b), nn.ReLU())
                self.stages = nn.ModuleList([
                    nn.Sequential(step(3, 8, 2), step(8, 8, 2), step(8, 16, 2)), step(16, 16, 2), step(16, 16, 2)])

            def forward(self, x):
                levels = {}
                for i, stage in enumerate(self.stages):
                    x = levels[str(i)] = stage(x)
                return levels

        columns = len(NAMES) + 1
        priors = DefaultBoxGenerator([[2], [2, 3], [2]], 0.15, 0.7)
        per_cell = priors.num_anchors_per_location()
        network = SSD(Trunk(), priors, (height, width), columns,
                      head=SSDHead([16, 16, 16], per_cell, columns))
        for p in network.parameters():
            p.requires_grad = False
        boxes_convs = network.head.regression_head.module_list
        class_convs = network.head.classification_head.module_list
        finals = [(c, [0.0] * c.out_channels, [1.5] * c.out_channels) for c in boxes_convs]
        finals += [(c, [0.0] * c.out_channels, [2.0] * c.out_channels) for c in class_convs]
        mean, std = (123.0, 117.0, 104.0), (1.0, 1.0, 1.0)  # ssd300_vgg16's, in 8-bit levels

        def heads(x):
            levels = list(network.backbone(x).values())
            return network.head(levels), levels

        def anchors(x, levels):
            return network.anchor_generator(ImageList(x, [(height, width)] * len(x)), levels)[0]

        with torch.no_grad():
            zeros = torch.zeros(1, 3, height, width)
            table = anchors(zeros, heads(zeros)[1])

        def decoded(x):
            out = heads(x)[0]
            boxes = network.box_coder.decode_single(out["bbox_regression"][0], table)
            return boxes, torch.softmax(out["cls_logits"], -1)

        def decode(tensor):
            boxes, scores = decoded(tensor)  # before clip_boxes_to_image: clipping is the caller's
            return np.asarray(boxes, np.float64), np.asarray(scores[0], np.float64)[:, 1:]

        scale = torch.tensor([width, height, width, height]).float()

        def export(path):
            if form == "priors":
                def raw(x):
                    out = heads(x)[0]
                    return out["bbox_regression"], out["cls_logits"]
                write_onnx(Lambda(network, raw), path, zeros, outputs=("bbox_regression", "cls_logits"))
            elif form == "decoded":
                def plain(x):
                    boxes, scores = decoded(x)
                    return scores, (boxes / scale)[None]
                write_onnx(Lambda(network, plain), path, zeros, outputs=("scores", "boxes"))
            else:
                def from_bytes(x):
                    pixels = x.permute(0, 3, 1, 2).float() - torch.tensor(mean).view(1, 3, 1, 1)
                    boxes, scores = decoded(pixels)
                    return scores, (boxes / scale)[None]
                write_onnx(Lambda(network, from_bytes), path, torch.zeros(1, height, width, 3, dtype=torch.uint8),
                           outputs=("scores", "boxes"))

        def replay(session, tensor):
            values = tensor.numpy()
            if form == "uint8":
                values = np.rint(values[0].transpose(1, 2, 0) + np.float32(mean)).astype(np.uint8)[None]
            scores, boxes = session.run(["scores", "boxes"], {"images": values})
            return boxes[0].astype(np.float64) * scale.numpy(), scores[0].astype(np.float64)[:, 1:]

        files = {}
        if form == "priors":
            cx, cy = (table[:, 0] + table[:, 2]) / 2 / width, (table[:, 1] + table[:, 3]) / 2 / height
            w, h = (table[:, 2] - table[:, 0]) / width, (table[:, 3] - table[:, 1]) / height
            files["priors.csv"] = "# cx,cy,w,h normalised\n" + "".join(
                ",".join(f"{v:.8g}" for v in row) + "\n" for row in torch.stack([cx, cy, w, h], 1).tolist())
        what = "torchvision 0.14.1 SSD with a small trunk; decoded by BoxCoder and softmax, unclipped; "
        what += {"priors": "raw heads, priors of DefaultBoxGenerator in a table",
                 "decoded": "softmax scores with background and normalised corners",
                 "uint8": "NHWC bytes in, normalised inside the graph"}[form]

        def quieten(delta):
            for conv in class_convs:
                conv.bias.data[torch.arange(conv.out_channels) % columns == 0] += delta
        return Golden(network, Input(width, height, "stretch", "RGB", mean, std), decode, finals, quieten, export,
                      what, files=files, labels=["background", *NAMES],
                      config={"decoder": "ssd", "decoder.boxes": "offsets", "decoder.priors": "priors.csv",
                              "decoder.prior_order": "cxcywh", "decoder.order": "xywh",
                              "decoder.variances": "0.1,0.1,0.2,0.2", "decoder.activation": "softmax"}
                      if form == "priors" else
                      {"decoder": "ssd", "decoder.boxes": "decoded", "decoder.units": "normalised",
                       "decoder.order": "xyxy"},
                      replay=None if form == "priors" else replay)
    return build


CASES = {
    "ssd_decoded": ssd_golden(96, 96, "decoded"),
    "ssd_priors": ssd_golden(96, 96, "priors"),
    "ssd_uint8_nhwc": ssd_golden(128, 96, "uint8"),
    "yolov4_heads": yolov4_golden(160, 96, True),
    "yolov4_boxes_confs": yolov4_golden(128, 128, False),
    "yolov5_export": yolov5_golden(160, 96),
    "yolov5_fp16": yolov5_golden(128, 128, half=True),
    "yolov7_concat": yolov7_golden(128, 128, "concat"),
    "yolov7_levels": yolov7_golden(160, 96, "levels"),
    "yolov7_heads": yolov7_golden(96, 128, "heads"),
    "yolov8_export": ultralytics_golden("yolov8", 160, 96),
    "yolo11_export": ultralytics_golden("yolo11", 128, 128),
    "yolo11_dynamic": ultralytics_golden("yolo11", 160, 128, dynamic=True),
    "yolo11_heads": ultralytics_golden("yolo11", 128, 96, raw=True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    GOLDENS.mkdir(parents=True, exist_ok=True)
    photos = {}
    for seed, (name, (width, height)) in enumerate(PHOTOS.items()):
        photos[name] = synthetic_photo(width, height, seed)
        Image.fromarray(photos[name]).save(GOLDENS / f"{name}.png", optimize=True)
    for name in arguments.cases:
        make(name, CASES[name], photos)


if __name__ == "__main__":
    main()
