"""A detector in plain Python: photo in, boxes out, for every weight of the test bundle.

numpy, Pillow and ONNX Runtime only. It is written from each family's published definition and shares
nothing with the C++ decoders, which are compared with it (compare.py) and with the outputs of the
families' own libraries (tools/make_goldens.py).

Boxes are x1, y1, x2, y2 in px of the photo, unclipped. Scores are [boxes, classes].
"""
import ast
import dataclasses
import pathlib

import numpy as np

COCO_IDS = ([*range(1, 12), *range(13, 26), 27, 28, *range(31, 45), *range(46, 66), 67, 70]
            + [*range(72, 83), *range(84, 91)])


# ---------------------------------------------------------------- pixels


def read_rgb(path):
    """The photo as uint8 RGB, not turned by EXIF. Pillow decodes JPEG with the accurate integer IDCT
    and smooth chroma upsampling, libjpeg-turbo's defaults."""
    from PIL import Image
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _taps(source, target, replicate):
    """Two neighbours and their 11-bit weights for each output sample of one axis: half-pixel centres.
    Beyond a border the edge sample counts: once where not `replicate`, as two equal neighbours where so
    (OpenCV's columns and rows; they differ in rounding)."""
    scale = 1 / (target / source)
    position = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    left = np.floor(position).astype(np.int64)
    weight = position - left.astype(np.float32)
    if not replicate:
        weight[(left < 0) | (left >= source - 1)] = 0
    weights = [np.rint(w * np.float32(2048)).astype(np.int64) for w in (np.float32(1) - weight, weight)]
    return np.clip(left, 0, source - 1), np.clip(left + 1, 0, source - 1), *weights


def resize(image, width, height):
    """Bilinear, half-pixel centres, no antialias, in the fixed point of OpenCV's INTER_LINEAR on
    8-bit pixels (equal to it bit by bit)."""
    if image.shape[:2] == (height, width):
        return image
    x0, x1, ax0, ax1 = _taps(image.shape[1], width, False)
    y0, y1, ay0, ay1 = _taps(image.shape[0], height, True)
    source = image.astype(np.int64)
    rows = source[:, x0] * ax0[:, None] + source[:, x1] * ax1[:, None]
    top, bottom = rows[y0] >> 4, rows[y1] >> 4
    ay0, ay1 = ay0[:, None, None], ay1[:, None, None]
    mixed = (((ay0 * top) >> 16) + ((ay1 * bottom) >> 16) + 2) >> 2
    return np.clip(mixed, 0, 255).astype(np.uint8)


@dataclasses.dataclass
class Fit:
    """Where the photo lies inside the network's input."""
    scale_x: float
    scale_y: float
    left: float = 0
    top: float = 0

    def to_photo(self, boxes):
        """Boxes in px of the network's input -> px of the photo."""
        out = np.asarray(boxes, np.float64).copy()
        out[:, 0::2] = (out[:, 0::2] - self.left) / self.scale_x
        out[:, 1::2] = (out[:, 1::2] - self.top) / self.scale_y
        return out


def fit_photo(image, width, height, how, pad=114):
    """Stretches or letterboxes (`centred`, `topleft`) an RGB photo to width x height."""
    rows, columns = image.shape[:2]
    if how == "stretch":
        return resize(image, width, height), Fit(width / columns, height / rows)
    scale = min(width / columns, height / rows)
    if how == "centred":  # Ultralytics' rounding
        inner_w, inner_h = round(columns * scale), round(rows * scale)
        left, top = round((width - inner_w) / 2 - 0.1), round((height - inner_h) / 2 - 0.1)
    else:  # YOLOX's
        inner_w, inner_h, left, top = int(columns * scale), int(rows * scale), 0, 0
    canvas = np.full((height, width, 3), pad, np.uint8)
    canvas[top:top + inner_h, left:left + inner_w] = resize(image, inner_w, inner_h)
    return canvas, Fit(scale, scale, left, top)


def to_tensor(canvas, colour="RGB", mean=(0, 0, 0), std=(255, 255, 255)):
    """uint8 RGB canvas -> float32 [1, 3, h, w]; mean and std stand in the order of `colour`."""
    pixels = canvas if colour == "RGB" else canvas[:, :, ::-1]
    pixels = (pixels.astype(np.float32) - np.float32(mean)) / np.float32(std)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


# ---------------------------------------------------------------- boxes


def iou_matrix(a, b):
    area = lambda r: np.maximum(r[:, 2] - r[:, 0], 0) * np.maximum(r[:, 3] - r[:, 1], 0)
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    inter = np.maximum(width, 0) * np.maximum(height, 0)
    union = area(a)[:, None] + area(b)[None] - inter
    return np.where(union > 0, inter / np.maximum(union, 1e-12), 0)


def candidates(boxes, scores, floor, all_classes):
    """[n, 6] rows x1, y1, x2, y2, score, class, best first: every class of a box that reaches the
    floor, or only its best one."""
    if not all_classes:
        label = scores.argmax(1)
        best = scores[np.arange(len(scores)), label]
        keep = best >= floor
        rows = np.column_stack([boxes[keep], best[keep], label[keep]])
    else:
        box, label = np.nonzero(scores >= floor)
        rows = np.column_stack([boxes[box], scores[box, label], label])
    return rows[np.argsort(-rows[:, 4], kind="stable")]


def nms(rows, iou=0.5, most=None):
    """Greedy suppression per class of rows sorted by falling score."""
    kept = []
    for label in np.unique(rows[:, 5]):
        index = np.nonzero(rows[:, 5] == label)[0]
        overlap = iou_matrix(rows[index, :4], rows[index, :4])
        alive = np.ones(len(index), bool)
        for i in range(len(index)):
            if alive[i]:
                kept.append(index[i])
                alive[i + 1:] &= overlap[i, i + 1:] <= iou
    return rows[sorted(kept)][:most]


# ---------------------------------------------------------------- decoders


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def softmax(x, axis):
    e = np.exp(np.asarray(x, np.float64) - np.max(x, axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def corners(cx, cy, w, h):
    return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1)


def cells(h, w):
    y, x = np.mgrid[0:h, 0:w]
    return x, y


def distances(logits, stride, cx, cy):
    """DFL: [n, 4, bins] logits -> expected distance of each side from the centre, in strides."""
    side = (softmax(logits, -1) * np.arange(logits.shape[-1])).sum(-1) * stride
    return np.stack([cx - side[:, 0], cy - side[:, 1], cx + side[:, 2], cy + side[:, 3]], -1)


def yolov8_heads(outputs, height, classes):
    boxes, scores = [], []
    for head in outputs:
        _, channels, h, w = head.shape
        bins = (channels - classes) // 4
        flat = head[0].reshape(channels, -1).T
        x, y = cells(h, w)
        stride = height / h
        boxes.append(distances(flat[:, :4 * bins].reshape(-1, 4, bins), stride,
                               (x.ravel() + 0.5) * stride, (y.ravel() + 0.5) * stride))
        scores.append(sigmoid(flat[:, 4 * bins:]))
    return np.concatenate(boxes), np.concatenate(scores)


def yolo_anchor_heads(outputs, height, anchors, rule):
    """Heads [1, a*(5+c), h, w] with `anchors` in px per head; rule `v5` (also v7), or the scale of the
    centre for Darknet's: 1 for YOLOv3, scale_x_y for YOLOv4."""
    boxes, scores = [], []
    for head, sizes in zip(outputs, anchors):
        _, channels, h, w = head.shape
        sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
        raw = head[0].reshape(len(sizes), channels // len(sizes), h, w).transpose(0, 2, 3, 1)
        x, y = cells(h, w)
        stride = height / h
        s = sigmoid(raw)
        if rule == "v5":
            cx, cy = (2 * s[..., 0] - 0.5 + x) * stride, (2 * s[..., 1] - 0.5 + y) * stride
            wh = (2 * s[..., 2:4]) ** 2 * sizes[:, None, None]
        else:
            cx, cy = ((rule * s[..., i] - (rule - 1) / 2 + g) * stride for i, g in ((0, x), (1, y)))
            wh = np.exp(raw[..., 2:4].astype(np.float64)) * sizes[:, None, None]
        boxes.append(corners(cx, cy, wh[..., 0], wh[..., 1]).reshape(-1, 4))
        scores.append((s[..., 4:5] * s[..., 5:]).reshape(-1, channels // len(sizes) - 5))
    return np.concatenate(boxes), np.concatenate(scores)


def dense_rows(rows, objectness):
    """[n, 4 (+1) + c] rows cx, cy, w, h (, objectness), classes: decoded inside the graph."""
    rows = rows.astype(np.float64)
    scores = rows[:, 4:5] * rows[:, 5:] if objectness else rows[:, 4:]
    return corners(*rows[:, :4].T), scores


def yolox_rows(rows, width, height):
    rows = rows.astype(np.float64)
    grid, stride = [], []
    for s in (8, 16, 32):
        x, y = cells(height // s, width // s)
        grid.append(np.stack([x.ravel(), y.ravel()], 1))
        stride.append(np.full((x.size, 1), s))
    grid, stride = np.concatenate(grid), np.concatenate(stride)
    xy, wh = (rows[:, :2] + grid) * stride, np.exp(rows[:, 2:4]) * stride
    return corners(xy[:, 0], xy[:, 1], wh[:, 0], wh[:, 1]), rows[:, 4:5] * rows[:, 5:]


def dfl_levels(scores, sides, width, height, strides, centre):
    boxes = []
    for side, stride in zip(sides, strides):
        w, h = -(-width // stride), -(-height // stride)
        x, y = cells(h, w)
        boxes.append(distances(side[0].reshape(h * w, 4, -1), stride, centre(x.ravel(), stride),
                               centre(y.ravel(), stride)))
    return np.concatenate(boxes), np.concatenate([s[0] for s in scores]).astype(np.float64)


def ssd_priors(codes, priors):
    """TensorFlow's order y, x, h, w in codes and priors, variances 1/10 and 1/5; normalised out."""
    codes = codes.astype(np.float64)
    cy, cx = codes[:, 0] / 10 * priors[:, 2] + priors[:, 0], codes[:, 1] / 10 * priors[:, 3] + priors[:, 1]
    return corners(cx, cy, np.exp(codes[:, 3] / 5) * priors[:, 3], np.exp(codes[:, 2] / 5) * priors[:, 2])


def fastestdet(head, width, height):
    head = head[0].astype(np.float64)
    _, h, w = head.shape
    x, y = cells(h, w)
    cx, cy = (x + np.tanh(head[1])) / w * width, (y + np.tanh(head[2])) / h * height
    box = corners(cx, cy, sigmoid(head[3]) * width, sigmoid(head[4]) * height).reshape(-1, 4)
    scores = head[0] ** 0.6 * head[5:] ** 0.4
    return box, scores.reshape(len(head) - 5, -1).T


# ---------------------------------------------------------------- the bundle's models


@dataclasses.dataclass
class Model:
    file: str
    size: tuple           # width, height
    fit: str = "centred"
    pad: int = 114
    colour: str = "RGB"
    mean: tuple = (0, 0, 0)
    std: tuple = (255, 255, 255)
    labels: str = "coco80"


_V8, _V5 = Model("yolov8n_rawheads_fp16w", (320, 320)), Model("yolov5n_rawheads_fp16w", (320, 320))
MODELS = {model.file: model for model in (
    _V8, _V5,
    Model("yolov8s_rawheads_fp16w", (320, 320)),
    Model("yolov5s_rawheads_fp16w", (320, 320)),
    Model("yolov8n_640_decoded", (640, 640)),
    Model("yolov5n_640_decoded", (640, 640)),
    Model("picodet_s_416_coco", (416, 416), "stretch", mean=(123.675, 116.28, 103.53),
          std=(58.395, 57.12, 57.375)),
    Model("yolox_nano_416", (416, 416), "topleft", colour="BGR", std=(1, 1, 1)),
    Model("nanodet_m_416", (416, 416), "centred", pad=0, colour="BGR", mean=(103.53, 116.28, 123.675),
          std=(57.375, 57.12, 58.395)),
    Model("ssd_mobilenet_v1_coco_300_u8", (300, 300), "stretch", mean=(128,) * 3, std=(128,) * 3,
          labels="coco91"),
    Model("fastestdet_352", (352, 352), "stretch", colour="BGR"),
    Model("yolo_fastest_1.1_320_rawheads", (320, 320), "stretch"),
    Model("mbv2_yolov3_nano_voc_320_rawheads", (320, 320), "stretch", labels="voc20"),
    Model("helmet_yolov5s_rawheads_fp16w", (320, 320), labels="own"),
    Model("helmet_yolov8n_rawheads_fp16w", (320, 320), labels="own"),
)}


class Reference:
    """One weight of the bundle, run by ONNX Runtime's Python package."""

    def __init__(self, weights, name, threads=1, size=None):
        import onnxruntime as ort
        self.name, self.model = name, MODELS[name]
        self.width, self.height = size or self.model.size
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        self.session = ort.InferenceSession(str(pathlib.Path(weights) / f"{name}.onnx"), options,
                                            providers=["CPUExecutionProvider"])
        self.meta = self.session.get_modelmeta().custom_metadata_map
        if name.startswith("ssd_"):
            table = pathlib.Path(weights) / "ssd_mobilenet_v1_coco_300_anchors.csv"
            self.priors = np.loadtxt(table, delimiter=",", comments="#")

    def raw(self, rgb):
        """Boxes in px of the photo and scores of one photo, before any threshold."""
        canvas, fit = fit_photo(rgb, self.width, self.height, self.model.fit, self.model.pad)
        tensor = to_tensor(canvas, self.model.colour, self.model.mean, self.model.std)
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: tensor})
        boxes, scores = self.decode(outputs)
        return fit.to_photo(boxes), scores

    def decode(self, out):
        """Outputs of the graph -> boxes in px of its input, and scores."""
        name, width, height = self.name, self.width, self.height
        if "yolov8" in name and "rawheads" in name:
            return yolov8_heads(out, height, len(ast.literal_eval(self.meta["names"])))
        if "yolov5" in name and "rawheads" in name:
            return yolo_anchor_heads(out, height, ast.literal_eval(self.meta["anchors"]), "v5")
        if name == "yolov8n_640_decoded":
            return dense_rows(out[0][0].T, False)
        if name == "yolov5n_640_decoded":
            return dense_rows(out[0][0], True)
        if name.startswith("picodet"):
            return dfl_levels(out[:4], out[4:], width, height, (8, 16, 32, 64),
                              lambda i, stride: (i + 0.5) * stride)
        if name.startswith("nanodet"):
            return dfl_levels(out[:3], out[3:], width, height, (8, 16, 32),
                              lambda i, stride: i * stride + 0.5 * (stride - 1))
        if name.startswith("yolox"):
            return yolox_rows(out[0][0], width, height)
        if name.startswith("ssd_"):
            boxes = ssd_priors(out[0][0], self.priors) * np.array([width, height] * 2)
            return boxes, out[1][0].astype(np.float64)[:, COCO_IDS]
        if name.startswith("fastestdet"):
            return fastestdet(out[0], width, height)
        anchors = ast.literal_eval(self.meta["anchors"])
        return yolo_anchor_heads(out, height, [anchors["p32"], anchors["p16"]], 1.0)
