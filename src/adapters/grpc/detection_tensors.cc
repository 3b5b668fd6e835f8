#include "adapters/grpc/detection_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace nearfar {
namespace {

constexpr std::string_view kDetectionOut = "detection_out";

std::string NameOf(int label, const std::vector<std::string>& class_names) {
  const auto index = static_cast<std::size_t>(label);
  return label >= 0 && index < class_names.size() ? class_names[index] : std::to_string(label);
}

WireTensor WriteOne(std::string_view output, std::span<const ImageDetections> images,
                    const std::vector<std::string>& class_names) {
  std::vector<float> numbers;
  std::vector<std::int64_t> integers;
  std::string elements;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Size size = images[i].size;
    n += static_cast<std::int64_t>(images[i].detections.size());
    for (const Detection& d : images[i].detections) {
      if (output == "boxes") {
        numbers.insert(numbers.end(), {d.box.x1, d.box.y1, d.box.x2, d.box.y2});
      } else if (output == "scores") {
        numbers.push_back(d.score);
      } else if (output == "labels") {
        integers.push_back(d.label);
      } else if (output == "names") {
        AppendElement(elements, NameOf(d.label, class_names));
      } else if (output == kDetectionOut) {
        const auto w = static_cast<float>(size.width);
        const auto h = static_cast<float>(size.height);
        numbers.insert(numbers.end(), {static_cast<float>(i), static_cast<float>(d.label), d.score,
                                       d.box.x1 / w, d.box.y1 / h, d.box.x2 / w, d.box.y2 / h});
      }
    }
  }
  const std::string name(output);
  if (output == "boxes") {
    return MakeTensor<float>(name, "FP32", {n, 4}, numbers);
  }
  if (output == "scores") {
    return MakeTensor<float>(name, "FP32", {n}, numbers);
  }
  if (output == "labels") {
    return MakeTensor<std::int64_t>(name, "INT64", {n}, integers);
  }
  if (output == "names") {
    return {name, "BYTES", {n}, std::move(elements)};
  }
  if (output == "counts") {
    for (const ImageDetections& image : images) {
      integers.push_back(static_cast<std::int64_t>(image.detections.size()));
    }
    return MakeTensor<std::int64_t>(name, "INT64", {static_cast<std::int64_t>(images.size())},
                                    integers);
  }
  return MakeTensor<float>(name, "FP32", {1, 1, n, 7}, numbers);
}

const WireTensorView* Find(std::span<const WireTensorView> tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const WireTensorView& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

/// An output of the reply, checked against the form that the protocol gives it.
Expected<const WireTensorView*> Take(std::span<const WireTensorView> outputs, std::string_view name,
                                     std::string_view datatype,
                                     const std::vector<std::int64_t>& shape) {
  const WireTensorView* tensor = Find(outputs, name);
  if (tensor == nullptr) {
    return Fail(ErrorCode::kInvalidInput, "the reply has no output '" + std::string(name) + "'");
  }
  if (tensor->datatype != datatype || tensor->shape != shape) {
    return Fail(ErrorCode::kInvalidInput, "output '" + std::string(name) + "' of the reply is " +
                                              FormatType(tensor->datatype, tensor->shape) +
                                              " instead of " + FormatType(datatype, shape));
  }
  if (const auto checked = CheckTensor(*tensor); !checked) {
    return tl::unexpected(checked.error());
  }
  return tensor;
}

template <typename T>
T NumberAt(const WireTensorView& tensor, std::size_t index) {
  T value;
  std::memcpy(&value, tensor.bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

tl::unexpected<Error> Garbage(std::size_t box, const std::string& what) {
  return Fail(ErrorCode::kInvalidInput, "box " + std::to_string(box) + " of the reply " + what);
}

}  // namespace

const std::vector<WireTensorSpec>& DetectionOutputs() {
  static const std::vector<WireTensorSpec> outputs{
      {"boxes", "FP32", {-1, 4}}, {"scores", "FP32", {-1}},
      {"labels", "INT64", {-1}},  {"names", "BYTES", {-1}},
      {"counts", "INT64", {-1}},  {"detection_out", "FP32", {1, 1, -1, 7}}};
  return outputs;
}

Expected<std::vector<WireTensor>> WriteDetections(std::span<const ImageDetections> images,
                                                  const std::vector<std::string>& class_names,
                                                  std::span<const std::string> wanted) {
  std::vector<WireTensor> tensors;
  const std::vector<WireTensorSpec>& known = DetectionOutputs();
  if (wanted.empty()) {
    for (const WireTensorSpec& spec : known) {
      if (spec.name != kDetectionOut) {
        tensors.push_back(WriteOne(spec.name, images, class_names));
      }
    }
    return tensors;
  }
  for (const std::string& name : wanted) {
    if (std::none_of(known.begin(), known.end(),
                     [&](const WireTensorSpec& spec) { return spec.name == name; })) {
      return Fail(
          ErrorCode::kInvalidInput,
          "output " + Quote(name) +
              " is unknown: an image is answered with boxes, scores, labels, names, counts or "
              "detection_out");
    }
    tensors.push_back(WriteOne(name, images, class_names));
  }
  return tensors;
}

Expected<NamedDetections> ReadDetections(std::span<const WireTensorView> outputs, Size sent,
                                         const std::vector<std::string>& class_names,
                                         const DetectionLimits& limits) {
  const WireTensorView* first = Find(outputs, "boxes");
  if (first == nullptr || first->shape.size() != 2) {
    return Fail(ErrorCode::kInvalidInput,
                "the reply has no output 'boxes' of shape [n,4]: is this a detector?");
  }
  const std::int64_t n = first->shape[0];
  if (n > limits.max_boxes) {
    return Fail(ErrorCode::kLimitExceeded, "the reply has " + std::to_string(n) +
                                               " boxes, more than the limit of " +
                                               std::to_string(limits.max_boxes));
  }
  const auto boxes = Take(outputs, "boxes", "FP32", {n, 4});
  if (!boxes) {
    return tl::unexpected(boxes.error());
  }
  const auto scores = Take(outputs, "scores", "FP32", {n});
  if (!scores) {
    return tl::unexpected(scores.error());
  }
  const auto labels = Take(outputs, "labels", "INT64", {n});
  if (!labels) {
    return tl::unexpected(labels.error());
  }
  std::vector<std::string_view> names;
  const bool named = Find(outputs, "names") != nullptr;
  if (named) {
    const auto tensor = Take(outputs, "names", "BYTES", {n});
    if (!tensor) {
      return tl::unexpected(tensor.error());
    }
    names = SplitElements(**tensor);
  } else if (class_names.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "the reply has no output 'names', and no class names were given for this node");
  }
  if (Find(outputs, "counts") != nullptr) {
    const auto counts = Take(outputs, "counts", "INT64", {1});
    if (!counts) {
      return tl::unexpected(counts.error());
    }
    if (NumberAt<std::int64_t>(**counts, 0) != n) {
      return Fail(ErrorCode::kInvalidInput,
                  "the reply counts " + std::to_string(NumberAt<std::int64_t>(**counts, 0)) +
                      " boxes in the image, but holds " + std::to_string(n));
    }
  }

  NamedDetections read;
  const auto count = static_cast<std::size_t>(n);
  read.detections.reserve(count);
  read.names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Box box{NumberAt<float>(**boxes, 4 * i), NumberAt<float>(**boxes, 4 * i + 1),
                  NumberAt<float>(**boxes, 4 * i + 2), NumberAt<float>(**boxes, 4 * i + 3)};
    const auto score = NumberAt<float>(**scores, i);
    const auto label = NumberAt<std::int64_t>(**labels, i);
    if (!std::isfinite(box.x1) || !std::isfinite(box.y1) || !std::isfinite(box.x2) ||
        !std::isfinite(box.y2)) {
      return Garbage(i, "has a corner that is not a finite number");
    }
    if (box.x2 < box.x1 || box.y2 < box.y1) {
      return Garbage(i, "has its right or lower corner before the left or upper one");
    }
    if (!(score >= 0 && score <= 1)) {
      return Garbage(i, "has the score " + std::to_string(score) + ", outside [0, 1]");
    }
    if (label < 0 || label > 1'000'000 ||
        (!class_names.empty() && label >= static_cast<std::int64_t>(class_names.size()))) {
      return Garbage(i,
                     "has the label " + std::to_string(label) + ", which is no class of the model");
    }
    const auto index = static_cast<std::size_t>(label);
    read.detections.push_back({ClipTo(box, sent), score, static_cast<int>(label)});
    read.names.emplace_back(named ? std::string(names[i]) : class_names[index]);
  }
  return read;
}

}  // namespace nearfar
