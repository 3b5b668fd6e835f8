#!/usr/bin/python3
"""Trains the tiny pair of models/ on the fixture scene and exports it as two model packages.

scene_far   anchor-free heads at strides 8, 16 and 32 (the raw YOLOv8 layout), RGB / 255, letterboxed
            320 x 256: sees small objects and told-apart colours.
scene_near  three anchors at strides 16 and 32 (the YOLOv3 layout), BGR with mean and deviation,
            stretched to 160 x 128: cheap, blind to small and crowded objects.

See training/README.md for how to make the pictures and rerun it.
"""

import argparse
import os
import sys
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

LABELS = ["person", "bicycle", "car", "dog"]
CLASSES = len(LABELS)


# ---------------------------------------------------------------- pictures


def read_set(root, name):
    """Pictures [n, h, w, 3] uint8 RGB and, for each, rows (label, x1, y1, x2, y2, difficult)."""
    with open(os.path.join(root, "ImageSets", "Main", name + ".txt"), encoding="ascii") as lines:
        names = lines.read().split()
    folder = os.path.join(root, "JPEGImages")
    ending = os.path.splitext(next(f for f in os.listdir(folder)))[1]
    pictures, truth = [], []
    for key in names:
        pictures.append(np.asarray(Image.open(os.path.join(folder, key + ending)).convert("RGB")))
        rows = []
        for entry in ElementTree.parse(os.path.join(root, "Annotations", key + ".xml")).iter("object"):
            x1, y1, x2, y2 = (float(entry.find("bndbox/" + side).text)
                              for side in ("xmin", "ymin", "xmax", "ymax"))
            rows.append([LABELS.index(entry.find("name").text), x1 - 1, y1 - 1, x2, y2,
                         float(entry.find("difficult").text)])
        truth.append(np.array(rows, np.float32).reshape(-1, 6))
    return np.stack(pictures), truth


class Far:
    """How the far model sees a picture: centred letterbox, grey 114, RGB in [0, 1]."""

    size = (320, 256)

    @staticmethod
    def fit(width, height):
        scale = min(Far.size[0] / width, Far.size[1] / height)
        left = (Far.size[0] - round(width * scale)) // 2
        top = (Far.size[1] - round(height * scale)) // 2
        return np.array([scale, scale], np.float32), np.array([left, top], np.float32)

    @staticmethod
    def tensor(pictures):
        height, width = pictures.shape[1:3]
        scale, offset = Far.fit(width, height)
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        if scale[0] != 1:
            x = F.interpolate(x, (round(height * scale[1]), round(width * scale[0])),
                              mode="bilinear", align_corners=False)
        left, top = int(offset[0]), int(offset[1])
        x = F.pad(x, (left, Far.size[0] - x.shape[3] - left, top, Far.size[1] - x.shape[2] - top),
                  value=114)
        return x / 255


class Near:
    """How the near model sees a picture: stretched, BGR, mean and deviation per channel."""

    size = (160, 128)
    mean = (103.53, 116.28, 123.675)
    std = (57.375, 57.12, 58.395)

    @staticmethod
    def fit(width, height):
        return (np.array([Near.size[0] / width, Near.size[1] / height], np.float32),
                np.zeros(2, np.float32))

    @staticmethod
    def tensor(pictures):
        x = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2).float()
        x = F.interpolate(x, Near.size[::-1], mode="bilinear", align_corners=False)
        return (x - torch.tensor(Near.mean).view(1, 3, 1, 1)) / torch.tensor(Near.std).view(1, 3, 1, 1)


def make_batch(view, pictures, truth, picks, flips):
    """Network input and padded truth [b, m, 6] in px of the input; label -1 = padding."""
    chosen = pictures[picks]
    height, width = chosen.shape[1:3]
    scale, offset = view.fit(width, height)
    most = max(1, max(len(truth[i]) for i in picks))
    rows = torch.full((len(picks), most, 6), -1.0)
    chosen = chosen.copy()
    for at, (pick, flip) in enumerate(zip(picks, flips)):
        boxes = truth[pick].copy()
        if flip:
            chosen[at] = chosen[at][:, ::-1]
            boxes[:, [1, 3]] = width - boxes[:, [3, 1]]
        boxes[:, 1:3] = boxes[:, 1:3] * scale + offset
        boxes[:, 3:5] = boxes[:, 3:5] * scale + offset
        rows[at, :len(boxes)] = torch.from_numpy(boxes)
    return view.tensor(chosen), rows


# ---------------------------------------------------------------- networks


def conv(into, out, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class Bottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels // 2), conv(channels // 2, channels))

    def forward(self, x):
        return x + self.body(x)


class FarNet(nn.Module):
    """Outputs p8, p16, p32: [b, 4 * 16 + classes, h, w], box bins first."""

    strides = (8, 16, 32)
    bins = 16

    def __init__(self):
        super().__init__()
        self.p8 = nn.Sequential(conv(3, 12, 3, 2), conv(12, 20, 3, 2), conv(20, 36, 3, 2),
                                Bottleneck(36))
        self.p16 = nn.Sequential(conv(36, 64, 3, 2), Bottleneck(64))
        self.p32 = nn.Sequential(conv(64, 96, 3, 2), Bottleneck(96))
        self.top = conv(96, 48, 1)
        self.side16 = conv(64, 48, 1)
        self.mix16 = conv(48, 48)
        self.down8 = conv(48, 36, 1)
        self.mix8 = conv(36, 36)
        self.heads = nn.ModuleList(
            nn.Sequential(conv(c, c), nn.Conv2d(c, 4 * self.bins + CLASSES, 1)) for c in (36, 48, 48))
        for head in self.heads:
            head[1].bias.data[:4 * self.bins] = 1.0
            head[1].bias.data[4 * self.bins:] = float(np.log(0.01))

    def forward(self, x):
        c8 = self.p8(x)
        c16 = self.p16(c8)
        f32 = self.top(self.p32(c16))
        f16 = self.mix16(self.side16(c16) + F.interpolate(f32, scale_factor=2.0, mode="nearest"))
        f8 = self.mix8(c8 + F.interpolate(self.down8(f16), scale_factor=2.0, mode="nearest"))
        return tuple(head(f) for head, f in zip(self.heads, (f8, f16, f32)))


class NearNet(nn.Module):
    """Outputs p32, p16: [b, 3 * (5 + classes), h, w], anchor by anchor x, y, w, h, objectness."""

    strides = (32, 16)
    anchors = (((58, 44), (40, 92), (112, 72)), ((8, 20), (24, 16), (22, 44)))

    def __init__(self):
        super().__init__()
        self.c16 = nn.Sequential(conv(3, 12, 3, 2), conv(12, 16, 3, 2), conv(16, 32, 3, 2),
                                 conv(32, 56, 3, 2), Bottleneck(56))
        self.c32 = nn.Sequential(conv(56, 72, 3, 2), Bottleneck(72))
        self.head32 = nn.Conv2d(72, 3 * (5 + CLASSES), 1)
        self.side = conv(72, 56, 1)
        self.head16 = nn.Conv2d(56, 3 * (5 + CLASSES), 1)
        for head in (self.head32, self.head16):
            head.bias.data.view(3, -1)[:, 4] = -4

    def forward(self, x):
        c16 = self.c16(x)
        c32 = self.c32(c16)
        f16 = c16 + F.interpolate(self.side(c32), scale_factor=2.0, mode="nearest")
        return self.head32(c32), self.head16(f16)


# ---------------------------------------------------------------- boxes and losses


def overlaps(a, b, generalised=False):
    """IoU (or generalised IoU) of boxes [..., 4] that broadcast against each other."""
    corner1 = torch.maximum(a[..., :2], b[..., :2])
    corner2 = torch.minimum(a[..., 2:], b[..., 2:])
    common = (corner2 - corner1).clamp(min=0).prod(-1)
    area = lambda box: (box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1)
    union = area(a) + area(b) - common + 1e-7
    iou = common / union
    if not generalised:
        return iou
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    return iou - (hull + 1e-7 - union) / (hull + 1e-7)


def far_points(outputs):
    """Centres [n, 2] and strides [n, 1] of all cells, px of the input."""
    points, strides = [], []
    for output, stride in zip(outputs, FarNet.strides):
        rows, columns = output.shape[2:]
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        points.append((torch.stack((x, y), -1).view(-1, 2) + 0.5) * stride)
        strides.append(torch.full((rows * columns, 1), float(stride)))
    return torch.cat(points), torch.cat(strides)


def decode_far(outputs):
    """Boxes [b, n, 4] px, class logits [b, n, classes], bin logits [b, n, 4, bins]."""
    flat = torch.cat([o.flatten(2) for o in outputs], 2).transpose(1, 2)
    bins = flat[..., :4 * FarNet.bins].reshape(*flat.shape[:2], 4, FarNet.bins)
    points, strides = far_points(outputs)
    reach = (bins.softmax(-1) @ torch.arange(FarNet.bins, dtype=torch.float32)) * strides
    boxes = torch.cat((points - reach[..., :2], points + reach[..., 2:]), -1)
    return boxes, flat[..., 4 * FarNet.bins:], bins


def far_loss(outputs, rows):
    """Task-aligned assignment; quality-weighted cross entropy, GIoU and distribution focal loss."""
    boxes, logits, bins = decode_far(outputs)
    points, strides = far_points(outputs)
    label, truth = rows[..., 0].long(), rows[..., 1:5]
    real = label >= 0
    wanted = real & (rows[..., 5] < 0.5)

    with torch.no_grad():
        centre = (truth[..., :2] + truth[..., 2:]) / 2
        half = (truth[..., 2:] - truth[..., :2]) / 2
        away = (points[None, None] - centre[:, :, None]).abs()
        inside = (away <= torch.maximum(half[:, :, None], 0.7 * strides.view(1, 1, -1, 1))).all(-1)
        # The bins reach 15 cells: larger objects belong to coarser maps.
        reachable = (2 * half.amax(-1)[:, :, None] < 14 * strides.view(1, 1, -1))
        candidate = inside & reachable & real[:, :, None]
        iou = overlaps(truth[:, :, None], boxes[:, None]).clamp(0, 1)
        score = logits.sigmoid().transpose(1, 2)
        score = score.gather(1, label.clamp(min=0)[:, :, None].expand(-1, -1, score.shape[2]))
        metric = score.sqrt() * iou.pow(4) * candidate + 1e-9 * candidate
        best = torch.zeros_like(metric, dtype=torch.bool)
        best.scatter_(2, metric.topk(8, 2).indices, True)
        positive = best & candidate
        # A cell that several objects claim goes to the one it overlaps most.
        owner = torch.where(positive, iou + 1e-6, torch.zeros_like(iou)).max(1)
        taken = owner.values > 0
        index = owner.indices
        pick = lambda values: values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))
        own_metric = metric.gather(1, index[:, None]).squeeze(1)
        peak_metric = (metric * positive).amax(2).gather(1, index)
        peak_iou = (iou * positive).amax(2).gather(1, index)
        quality = own_metric / (peak_metric + 1e-9) * peak_iou
        is_wanted = wanted.gather(1, index)
        target = torch.zeros_like(logits)
        target.scatter_(2, label.clamp(min=0).gather(1, index)[..., None],
                        (quality * taken)[..., None])
        weight = torch.where(taken & ~is_wanted, 0.0, 1.0)[..., None]
        own = taken & is_wanted
        total = target[own].sum().clamp(min=1)

    loss_class = (F.binary_cross_entropy_with_logits(logits, target, reduction="none")
                  * weight).sum() / total
    own_truth = pick(truth)[own]
    own_weight = quality[own]
    loss_box = ((1 - overlaps(boxes[own], own_truth, True)) * own_weight).sum() / total
    place, stride = points.expand(len(own), -1, -1)[own], strides.expand(len(own), -1, -1)[own]
    reach = torch.cat((place - own_truth[:, :2], own_truth[:, 2:] - place), -1) / stride
    reach = reach.clamp(0, FarNet.bins - 1.01)
    low = reach.long()
    high_share = reach - low
    log_bins = bins[own].log_softmax(-1)
    loss_bins = -(log_bins.gather(-1, low[..., None]).squeeze(-1) * (1 - high_share) +
                  log_bins.gather(-1, low[..., None] + 1).squeeze(-1) * high_share)
    loss_bins = (loss_bins.mean(-1) * own_weight).sum() / total
    return 0.7 * loss_class + 5 * loss_box + 1.2 * loss_bins


def decode_near(outputs):
    """Boxes [b, n, 4] px, objectness logits [b, n], class logits [b, n, classes]."""
    boxes, objectness, logits = [], [], []
    for output, stride, anchors in zip(outputs, NearNet.strides, NearNet.anchors):
        batch, _, height, width = output.shape
        o = output.view(batch, 3, 5 + CLASSES, height, width).permute(0, 1, 3, 4, 2)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centre = (o[..., :2].sigmoid() + torch.stack((x, y), -1)) * stride
        size = o[..., 2:4].clamp(max=4).exp() * torch.tensor(anchors).float().view(1, 3, 1, 1, 2)
        boxes.append(torch.cat((centre - size / 2, centre + size / 2), -1).view(batch, -1, 4))
        objectness.append(o[..., 4].reshape(batch, -1))
        logits.append(o[..., 5:].reshape(batch, -1, CLASSES))
    return torch.cat(boxes, 1), torch.cat(objectness, 1), torch.cat(logits, 1)


def near_loss(outputs, rows):
    """The anchor of the most similar shape, in the cell of the centre, answers for an object."""
    boxes, objectness, logits = decode_near(outputs)
    shapes = torch.tensor([a for level in NearNet.anchors for a in level]).float()
    first, start = [], 0
    for output in outputs:
        first.append(start)
        start += 3 * output.shape[2] * output.shape[3]
    with torch.no_grad():
        real = rows[..., 0] >= 0
        iou = overlaps(rows[:, :, None, 1:5], boxes[:, None]) * real[:, :, None]
        weight = torch.where(iou.amax(1) > 0.6, 0.0, 1.0)
        target = torch.zeros_like(objectness)
        owned, owners = [], []
        for b, m in real.nonzero().tolist():
            x1, y1, x2, y2 = rows[b, m, 1:5].tolist()
            size = torch.tensor([x2 - x1, y2 - y1])
            common = torch.minimum(shapes, size).prod(1)
            likeness = common / (shapes.prod(1) + size.prod() - common)
            best = int(likeness.argmax())
            for anchor in range(6):
                if anchor != best and likeness[anchor] < 0.55:
                    continue
                level = anchor // 3
                height, width = outputs[level].shape[2:]
                column = min(int((x1 + x2) / 2 / NearNet.strides[level]), width - 1)
                row = min(int((y1 + y2) / 2 / NearNet.strides[level]), height - 1)
                at = first[level] + (anchor % 3 * height + row) * width + column
                if rows[b, m, 5] > 0.5:
                    weight[b, at] = 0
                    continue
                weight[b, at] = 1
                target[b, at] = 1
                owned.append((b, at))
                owners.append((b, m))
    owned, owners = torch.tensor(owned).view(-1, 2), torch.tensor(owners).view(-1, 2)
    count = max(1, len(owned))
    loss = (F.binary_cross_entropy_with_logits(objectness, target, reduction="none")
            * weight).sum() / count
    own = rows[owners[:, 0], owners[:, 1]]
    loss_box = (1 - overlaps(boxes[owned[:, 0], owned[:, 1]], own[:, 1:5], True)).sum() / count
    hot = F.one_hot(own[:, 0].long(), CLASSES).float()
    loss_class = F.binary_cross_entropy_with_logits(logits[owned[:, 0], owned[:, 1]], hot,
                                                    reduction="sum") / count
    return loss + 3 * loss_box + loss_class


# ---------------------------------------------------------------- judging


def suppress(boxes, scores, limit=0.5, most=100):
    """Greedy non-maximum suppression of one class; indices, best first."""
    order = np.argsort(-scores, kind="stable")[:400]
    kept = []
    while len(order) and len(kept) < most:
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        common = np.clip(high - low, 0, None).prod(1)
        area = lambda b: (b[..., 2:] - b[..., :2]).prod(-1)
        order = order[common <= limit * (area(boxes[best]) + area(boxes[order]) - common)]
    return kept


def detect(kind, model, pictures, floor=0.01):
    """Per picture: rows (label, score, x1, y1, x2, y2) in px of the picture, best first."""
    view = VIEWS[kind]
    height, width = pictures.shape[1:3]
    scale, offset = view.fit(width, height)
    found = []
    with torch.no_grad():
        for start in range(0, len(pictures), 32):
            outputs = model(view.tensor(pictures[start:start + 32]))
            if kind == "far":
                boxes, logits, _ = decode_far(outputs)
                scores = logits.sigmoid()
            else:
                boxes, objectness, logits = decode_near(outputs)
                scores = objectness.sigmoid()[..., None] * logits.sigmoid()
            for b, s in zip(boxes.numpy(), scores.numpy()):
                rows = []
                for label in range(CLASSES):
                    above = np.nonzero(s[:, label] > floor)[0]
                    for i in suppress(b[above], s[above, label]):
                        box = (b[above[i]].reshape(2, 2) - offset) / scale
                        box = np.clip(box, 0, [width, height])
                        rows.append([label, s[above[i], label], *box.reshape(4)])
                rows.sort(key=lambda r: -r[1])
                found.append(np.array(rows, np.float32).reshape(-1, 6))
    return found


def match(found, truth):
    """Marks each detection 1 (right), 0 (wrong) or -1 (of a difficult object), as VOC does."""
    verdict = np.zeros(len(found), int)
    used = np.zeros(len(truth), bool)
    for i, row in enumerate(found):
        same = np.nonzero(truth[:, 0] == row[0])[0]
        if not len(same):
            continue
        low = np.maximum(truth[same, 1:3], row[2:4])
        high = np.minimum(truth[same, 3:5], row[4:6])
        common = np.clip(high - low, 0, None).prod(1)
        union = (truth[same, 3:5] - truth[same, 1:3]).prod(1) + (row[4:6] - row[2:4]).prod() - common
        best = int(np.argmax(common / union))
        if common[best] / union[best] < 0.5:
            continue
        at = same[best]
        if truth[at, 5] > 0.5:
            verdict[i] = -1
        elif not used[at]:
            used[at] = True
            verdict[i] = 1
    return verdict


def judge(found, truth):
    """AP50 (area) per class and the share of objects found with a score above 0.5."""
    verdicts = [match(f, t) for f, t in zip(found, truth)]
    rows = np.concatenate(found)
    marks = np.concatenate(verdicts)
    precisions = []
    for label in range(CLASSES):
        wanted = sum(int(((t[:, 0] == label) & (t[:, 5] < 0.5)).sum()) for t in truth)
        mine = (rows[:, 0] == label) & (marks >= 0)
        order = np.argsort(-rows[mine, 1], kind="stable")
        right = np.cumsum(marks[mine][order])
        recall = right / max(wanted, 1)
        precision = right / np.arange(1, len(right) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        precisions.append(float(np.sum(np.diff(np.concatenate(([0], recall))) * precision)))
    wanted = sum(int((t[:, 5] < 0.5).sum()) for t in truth)
    seen = int(((marks == 1) & (rows[:, 1] > 0.5)).sum())
    return precisions, seen / max(wanted, 1)


def judge_pair(near, far, truth, pictures_area):
    """End to end at equal upload: random, mean top score per class, and the paper's rule."""

    def show(name, upload):
        mixed = [f if u else n for n, f, u in zip(near, far, upload)]
        precisions, seen = judge(mixed, truth)
        print(f"  {name:<12} upload {np.mean(upload):5.1%}  AP50 {np.mean(precisions):6.1%}  "
              f"objects found {seen:6.1%}")

    count = len(truth)
    show("near alone", [False] * count)
    show("far alone", [True] * count)
    # The paper's three steps, thresholds fitted on the first half's truth, judged on all.
    half = range(count // 2)
    gain = [int((far[i][:, 1] > 0.5).sum() - (near[i][:, 1] > 0.5).sum()) >= 1 for i in range(count)]
    candidates = np.arange(0.05, 0.5, 0.01)
    wanted = sum(len(truth[i]) for i in half)
    low = candidates[np.argmin([abs(sum((near[i][:, 1] > t).sum() for i in half) - wanted)
                                for t in candidates])]
    share = lambda rows: min(((r[-2] - r[-4]) * (r[-1] - r[-3]) for r in rows), default=1) / pictures_area
    truth_share = [share([row[:5] for row in truth[i]]) for i in half]
    best = max(((sum(((len(truth[i]) > n) or (truth_share[i] < a)) == gain[i] for i in half), n, a)
                for n in range(1, 10) for a in np.arange(0.01, 0.5, 0.01)), key=lambda b: b[0])
    def difficult(rows):
        boxes = rows[rows[:, 1] > low]
        if (rows[:, 1] > 0.5).sum() == len(boxes):
            return False
        return len(boxes) > best[1] or share(boxes) < best[2]
    rule = [difficult(rows) for rows in near]
    uploads = int(sum(rule))
    print(f"  thresholds: score {low:.2f}, count {best[1]}, area share {best[2]:.2f}; "
          f"difficult by definition {np.mean(gain):.1%}; "
          f"verdict right {np.mean(np.array(rule) == np.array(gain)):.1%}")
    show("smallbig", rule)
    chance = np.zeros(count, bool)
    chance[np.random.default_rng(7).permutation(count)[:uploads]] = True
    show("random", chance)
    top = np.array([np.mean([max((r[1] for r in rows if r[0] == c), default=0) for c in range(CLASSES)])
                    for rows in near])
    lowest = np.zeros(count, bool)
    lowest[np.argsort(top, kind="stable")[:uploads]] = True
    show("top1", lowest)


# ---------------------------------------------------------------- training and export


NETS = {"far": FarNet, "near": NearNet}
VIEWS = {"far": Far, "near": Near}
LOSSES = {"far": far_loss, "near": near_loss}


def train(kind, args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    model, ema = NETS[kind](), NETS[kind]()
    ema.load_state_dict(model.state_dict())
    weights = sum(p.numel() for p in model.parameters())
    optimiser = torch.optim.AdamW(model.parameters(), args.rate, weight_decay=0.02)
    state_file = os.path.join(args.work, kind + ".pt")
    step = 0
    if os.path.exists(state_file):
        state = torch.load(state_file)
        model.load_state_dict(state["model"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    pictures, truth = read_set(args.data, "train")
    print(f"{kind}: {weights} weights, {len(pictures)} pictures, step {step} of {args.steps}",
          flush=True)
    began, first, saved, losses = time.time(), step, time.time(), []

    def save():
        torch.save({"model": model.state_dict(), "ema": ema.state_dict(),
                    "optimiser": optimiser.state_dict(), "step": step}, state_file + ".new")
        os.replace(state_file + ".new", state_file)

    while step < args.steps:
        # What a step sees hangs on its number alone: a run that was cut goes on as if it had not been.
        chance = np.random.default_rng([args.seed, step])
        picks = chance.integers(0, len(pictures), args.batch)
        x, rows = make_batch(VIEWS[kind], pictures, truth, picks, chance.random(args.batch) < 0.5)
        warm = min(1.0, (step + 1) / 100)
        rate = args.rate * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / args.steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        model.train()
        loss = LOSSES[kind](model(x), rows)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimiser.step()
        step += 1
        keep = min(0.998, step / (step + 20))
        with torch.no_grad():
            for mine, theirs in zip(ema.state_dict().values(), model.state_dict().values()):
                if mine.dtype.is_floating_point:
                    mine.lerp_(theirs, 1 - keep)
        losses.append(loss.item())
        if step % 50 == 0 or step == args.steps:
            pace = (step - first) / (time.time() - began)
            print(f"{kind}: step {step}/{args.steps}  loss {np.mean(losses):.3f}  "
                  f"{pace * args.batch:.0f} pictures/s  {(args.steps - step) / pace / 60:.1f} min left",
                  flush=True)
            losses.clear()
        if time.time() - saved > 60 or step == args.steps:
            save()
            saved = time.time()
    return ema.eval()


def load(kind, args):
    model = NETS[kind]()
    model.load_state_dict(torch.load(os.path.join(args.work, kind + ".pt"))["ema"])
    return model.eval()


def halve_weights(path):
    """Stores large weights as 16-bit floats behind a cast, which an engine folds when it loads."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = onnx.load(path)
    casts = []
    for tensor in graph.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        name = tensor.name
        halved = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(halved, name + "_fp16"))
        casts.append(helper.make_node("Cast", [name + "_fp16"], [name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(casts + nodes)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def config(kind, names):
    """The package's config.pbtxt; the order and meaning of keys is `nearfar model`'s."""
    width, height = VIEWS[kind].size
    channels = 4 * FarNet.bins + CLASSES if kind == "far" else 3 * (5 + CLASSES)
    free = kind == "far"
    text = f'name: "scene_{kind}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
    shape = "[ 1, 3, -1, -1 ]" if free else f"[ 1, 3, {height}, {width} ]"
    text += f'input [ {{ name: "images" data_type: TYPE_FP32 dims: {shape} }} ]\n'
    for at, (name, stride) in enumerate(zip(names, NETS[kind].strides)):
        grid = "-1, -1" if free else f"{height // stride}, {width // stride}"
        labels = ' label_filename: "labels.txt"' if at == 0 else ""
        text += (f'output [ {{ name: "{name}" data_type: TYPE_FP32 '
                 f'dims: [ 1, {channels}, {grid} ]{labels} }} ]\n')
    settings = {"input.size": f"{width}x{height}"}
    if kind == "far":
        settings.update({"input.resize": "letterbox", "input.pad": "114", "input.channels": "rgb",
                         "input.scale": repr(1 / 255), "decoder": "dfl",
                         "decoder.bins": str(FarNet.bins), "decoder.centre": "half-cell"})
    else:
        # Finest level first.
        anchors = ";".join(",".join(str(side) for anchor in level for side in anchor)
                           for level in reversed(NearNet.anchors))
        numbers = lambda values: ",".join(str(v) for v in values)
        settings.update({"input.resize": "stretch", "input.channels": "bgr", "input.scale": "1",
                         "input.mean": numbers(Near.mean), "input.std": numbers(Near.std),
                         "decoder": "yolo-anchors", "decoder.anchors": anchors,
                         "decoder.sizes": "exp"})
    for key, value in settings.items():
        text += f'parameters {{ key: "nearfar.{key}" value: {{ string_value: "{value}" }} }}\n'
    return text


def export(kind, model, args):
    import onnx

    folder = os.path.join(args.models, "scene_" + kind, "1")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.onnx")
    width, height = VIEWS[kind].size
    names = ["p%d" % s for s in NETS[kind].strides]
    sizes = {}
    if kind == "far":
        sizes = {"images": {2: "h", 3: "w"}}
        sizes.update({n: {2: "h" + n[1:], 3: "w" + n[1:]} for n in names})
    torch.onnx.export(model, torch.zeros(1, 3, height, width), path, opset_version=12,
                      input_names=["images"], output_names=names, dynamic_axes=sizes)
    graph = onnx.load(path)
    facts = {"names": str(dict(enumerate(LABELS)))}
    if kind == "near":
        facts["anchors"] = str({n: [list(map(float, a)) for a in level]
                                for n, level in zip(names, NearNet.anchors)})
    onnx.helper.set_model_props(graph, facts)
    graph.doc_string = ""
    onnx.save(graph, path)
    halve_weights(path)
    package = os.path.join(args.models, "scene_" + kind)
    with open(os.path.join(package, "labels.txt"), "w", encoding="ascii") as out:
        out.write("".join(label + "\n" for label in LABELS))
    with open(os.path.join(package, "config.pbtxt"), "w", encoding="ascii") as out:
        out.write(config(kind, names))
    print(f"{path}: {os.path.getsize(path)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["train", "judge", "export"])
    parser.add_argument("--kind", choices=["near", "far", "both"], default="both")
    parser.add_argument("--data", required=True, help="folder written by `nearfar scene`")
    parser.add_argument("--work", default="build/training", help="where training states are kept")
    parser.add_argument("--models", default="models", help="where packages go")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    torch.set_num_threads(1)
    kinds = ["near", "far"] if args.kind == "both" else [args.kind]
    if args.verb == "train":
        for kind in kinds:
            train(kind, args)
    elif args.verb == "export":
        for kind in kinds:
            export(kind, load(kind, args), args)
    if args.verb in ("train", "judge"):
        pictures, truth = read_set(args.data, "val")
        found = {}
        for kind in kinds:
            found[kind] = detect(kind, load(kind, args), pictures)
            precisions, seen = judge(found[kind], truth)
            each = "  ".join(f"{l} {p:.1%}" for l, p in zip(LABELS, precisions))
            print(f"{kind}: AP50 {np.mean(precisions):.1%} ({each}), objects found {seen:.1%}")
        if len(kinds) == 2:
            judge_pair(found["near"], found["far"], truth, pictures.shape[1] * pictures.shape[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
