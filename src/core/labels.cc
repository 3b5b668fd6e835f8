#include "core/labels.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <set>

#include "core/rng.h"

namespace nearfar {
namespace {

/// Lower case, `_` and `-` as spaces, no space at either end or twice in a row.
std::string Fold(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    const char plain = (c == '_' || c == '-' || c == '\t' || c == '\r') ? ' ' : c;
    if (plain == ' ' && (folded.empty() || folded.back() == ' ')) {
      continue;
    }
    folded.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(plain))));
  }
  if (!folded.empty() && folded.back() == ' ') {
    folded.pop_back();
  }
  return folded;
}

constexpr std::string_view kDefaultSynonyms =
#include "core/synonyms.inc"
    ;

}  // namespace

Expected<Synonyms> Synonyms::Parse(std::string_view text) {
  Synonyms synonyms;
  std::string entries;
  int line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = line.substr(0, line.find('#'));
    if (Fold(line).empty()) {
      continue;
    }
    const std::size_t equals = line.find('=');
    const std::string canonical = Fold(line.substr(0, equals));
    if (equals == std::string_view::npos || canonical.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "line " + std::to_string(line_number) + ": expected `class = alias, alias`");
    }
    std::string_view aliases = line.substr(equals + 1);
    while (true) {
      const std::size_t comma = aliases.find(',');
      const std::string alias = Fold(aliases.substr(0, comma));
      if (!alias.empty()) {
        const auto [entry, is_new] = synonyms.canonical_of_.emplace(alias, canonical);
        if (!is_new && entry->second != canonical) {
          return Fail(ErrorCode::kInvalidInput, "line " + std::to_string(line_number) + ": '" + alias +
                                                    "' already stands for '" + entry->second + "'");
        }
        entries += alias + "=" + canonical + ";";
      }
      if (comma == std::string_view::npos) {
        break;
      }
      aliases.remove_prefix(comma + 1);
    }
  }
  char version[17];
  std::snprintf(version, sizeof version, "%016llx",
                static_cast<unsigned long long>(HashText(entries)));
  synonyms.version_ = version;
  return synonyms;
}

std::string_view Synonyms::DefaultText() { return kDefaultSynonyms; }

const Synonyms& Synonyms::Default() {
  static const Synonyms synonyms = Parse(kDefaultSynonyms).value();
  return synonyms;
}

std::string Synonyms::Canonical(std::string_view name) const {
  std::string folded = Fold(name);
  const auto entry = canonical_of_.find(folded);
  return entry == canonical_of_.end() ? folded : entry->second;
}

int LabelSpace::Find(std::string_view canonical_name) const {
  const auto found = std::find(names.begin(), names.end(), canonical_name);
  return found == names.end() ? kNoLabel : static_cast<int>(found - names.begin());
}

LabelSpace MakeLabelSpace(const std::vector<std::string>& names, const Synonyms& synonyms) {
  LabelSpace space;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    std::string canonical = synonyms.Canonical(name);
    if (seen.insert(canonical).second) {
      space.names.push_back(std::move(canonical));
    }
  }
  return space;
}

const LabelSpace& VocLabels() {
  static const LabelSpace space = MakeLabelSpace(
      {"aeroplane", "bicycle",     "bird",  "boat",      "bottle",      "bus",    "car",
       "cat",       "chair",       "cow",   "diningtable", "dog",       "horse",  "motorbike",
       "person",    "pottedplant", "sheep", "sofa",      "train",       "tvmonitor"},
      Synonyms::Default());
  return space;
}

const LabelSpace& CocoLabels() {
  static const LabelSpace space = MakeLabelSpace(
      {"person",        "bicycle",      "car",           "motorcycle",    "airplane",
       "bus",           "train",        "truck",         "boat",          "traffic light",
       "fire hydrant",  "stop sign",    "parking meter", "bench",         "bird",
       "cat",           "dog",          "horse",         "sheep",         "cow",
       "elephant",      "bear",         "zebra",         "giraffe",       "backpack",
       "umbrella",      "handbag",      "tie",           "suitcase",      "frisbee",
       "skis",          "snowboard",    "sports ball",   "kite",          "baseball bat",
       "baseball glove", "skateboard",  "surfboard",     "tennis racket", "bottle",
       "wine glass",    "cup",          "fork",          "knife",         "spoon",
       "bowl",          "banana",       "apple",         "sandwich",      "orange",
       "broccoli",      "carrot",       "hot dog",       "pizza",         "donut",
       "cake",          "chair",        "couch",         "potted plant",  "bed",
       "dining table",  "toilet",       "tv",            "laptop",        "mouse",
       "remote",        "keyboard",     "cell phone",    "microwave",     "oven",
       "toaster",       "sink",         "refrigerator",  "book",          "clock",
       "vase",          "scissors",     "teddy bear",    "hair drier",    "toothbrush"},
      Synonyms::Default());
  return space;
}

void LabelMap::Apply(Detections& detections) const {
  std::size_t kept = 0;
  for (Detection& detection : detections) {
    const bool known = detection.label >= 0 &&
                       static_cast<std::size_t>(detection.label) < label_of.size() &&
                       label_of[static_cast<std::size_t>(detection.label)] != kNoLabel;
    if (known) {
      detection.label = label_of[static_cast<std::size_t>(detection.label)];
      detections[kept++] = detection;
    }
  }
  detections.resize(kept);
}

LabelMap MapLabels(const std::vector<std::string>& from, const LabelSpace& to,
                   const Synonyms& synonyms) {
  LabelMap map;
  for (const std::string& name : from) {
    const int label = to.Find(synonyms.Canonical(name));
    map.label_of.push_back(label);
    if (label == kNoLabel) {
      map.unmapped.push_back(name);
    }
  }
  return map;
}

}  // namespace nearfar
