#include "train/labelled_set.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "core/rng.h"

namespace nearfar {
namespace {

using Frames = std::map<std::string_view, const RecordedFrame*>;

std::string ListFew(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    list += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > kShown) {
    list += " and " + std::to_string(names.size() - kShown) + " more";
  }
  return list;
}

std::string SizeText(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

/// The frames by name, once it is sure that they are whole images after NMS, each there once.
Expected<Frames> WholeFrames(const Recording& recording, const char* role) {
  const std::string which = std::string(role) + " recording (" + recording.model.name + ")";
  if (recording.model.nms == "none") {
    return Fail(ErrorCode::kInvalidInput, "the " + which +
                                              " holds boxes before NMS, where one object counts "
                                              "many times: record after NMS");
  }
  if (recording.frames.empty()) {
    return Fail(ErrorCode::kInvalidInput, "the " + which + " holds no images");
  }
  Frames frames;
  for (const RecordedFrame& frame : recording.frames) {
    if (frame.region != kWholeFrame ||
        (frame.rect != Rect{} && frame.rect != WholeOf(frame.size))) {
      return Fail(ErrorCode::kInvalidInput, "the " + which + " holds parts of image " + frame.name +
                                                ": calibration reads whole images");
    }
    if (frame.size.width <= 0 || frame.size.height <= 0) {
      return Fail(ErrorCode::kInvalidInput,
                  "the " + which + " does not know the size of image " + frame.name);
    }
    if (!frames.emplace(frame.name, &frame).second) {
      return Fail(ErrorCode::kInvalidInput,
                  "the " + which + " holds image " + frame.name + " twice");
    }
  }
  return frames;
}

std::vector<std::string> NamesMissingIn(const Frames& frames, const Frames& of) {
  std::vector<std::string> missing;
  for (const auto& [name, frame] : of) {
    if (frames.count(name) == 0) {
      missing.emplace_back(name);
    }
  }
  return missing;
}

Expected<LabelSpace> ChooseClasses(const Recording& near, const Recording& far, const Truth* truth,
                                   const Synonyms& synonyms, const LabelledSetOptions& options,
                                   std::vector<std::string>& remarks) {
  const LabelSpace near_classes = MakeLabelSpace(near.classes.names, synonyms);
  const LabelSpace far_classes = MakeLabelSpace(far.classes.names, synonyms);
  const LabelSpace truth_classes =
      truth != nullptr ? MakeLabelSpace(truth->classes.names, synonyms) : far_classes;
  LabelSpace classes;
  if (!options.classes.empty()) {
    classes = MakeLabelSpace(options.classes, synonyms);
    for (const std::string& name : classes.names) {
      for (const auto& [role, known] :
           {std::pair("near", &near_classes), std::pair("far", &far_classes)}) {
        if (known->Find(name) == kNoLabel) {
          return Fail(ErrorCode::kNotFound, "class '" + name + "' is unknown to the " + role +
                                                " model; it knows " + ListFew(known->names));
        }
      }
    }
  } else {
    for (const std::string& name : near_classes.names) {
      if (far_classes.Find(name) != kNoLabel && truth_classes.Find(name) != kNoLabel) {
        classes.names.push_back(name);
      }
    }
  }
  if (classes.names.empty()) {
    return Fail(ErrorCode::kNotFound,
                "near, far and truth share no class: near knows " + ListFew(near_classes.names) +
                    "; far knows " + ListFew(far_classes.names) +
                    (truth != nullptr ? "; truth knows " + ListFew(truth_classes.names) : ""));
  }
  const auto remark = [&](const char* role, const LabelSpace& known) {
    std::vector<std::string> left_out;
    for (const std::string& name : known.names) {
      if (classes.Find(name) == kNoLabel) {
        left_out.push_back(name);
      }
    }
    if (!left_out.empty()) {
      remarks.push_back(std::to_string(left_out.size()) + " classes of " + role +
                        " left out: " + ListFew(left_out));
    }
  };
  remark("near", near_classes);
  remark("far", far_classes);
  if (truth != nullptr) {
    remark("truth", truth_classes);
  }
  return classes;
}

/// Leaves out boxes that are not of finite numbers, and notes scores that are no shares.
class BoxCheck {
 public:
  void Look(const std::string& image, Detections& boxes) {
    const std::size_t out = std::erase_if(boxes, [](const Detection& d) {
      return !std::isfinite(d.score) || !std::isfinite(d.box.x1) || !std::isfinite(d.box.y1) ||
             !std::isfinite(d.box.x2) || !std::isfinite(d.box.y2);
    });
    Note(not_finite_, out, image);
    Note(no_share_,
         static_cast<std::size_t>(
             std::count_if(boxes.begin(), boxes.end(),
                           [](const Detection& d) { return d.score < 0 || d.score > 1; })),
         image);
  }
  void Remark(const std::string& role, std::vector<std::string>& remarks) const {
    if (not_finite_.boxes > 0) {
      remarks.push_back(std::to_string(not_finite_.boxes) + " boxes of " + role +
                        " left out, whose score or corners are no finite numbers, the first in "
                        "image " +
                        not_finite_.first);
    }
    if (no_share_.boxes > 0) {
      remarks.push_back(std::to_string(no_share_.boxes) + " boxes of " + role +
                        " are scored outside [0, 1], the first in image " + no_share_.first +
                        ": scores are read as probabilities, so what is fitted means little");
    }
  }

 private:
  struct Found {
    std::size_t boxes = 0;
    std::string first;
  };
  static void Note(Found& found, std::size_t boxes, const std::string& image) {
    if (found.boxes == 0) {
      found.first = image;
    }
    found.boxes += boxes;
  }

  Found not_finite_;
  Found no_share_;
};

}  // namespace

Detections DetectionsIn(const LabelSpace& classes, const Recording& recording,
                        const RecordedFrame& frame, const Synonyms& synonyms) {
  Detections detections = frame.detections;
  MapLabels(recording.classes.names, classes, synonyms).Apply(detections);
  return detections;
}

Expected<LabelledSet> JoinRecordings(const Recording& near, const Recording& far,
                                     const Truth* truth, const Synonyms& synonyms,
                                     const LabelledSetOptions& options) {
  if (const auto same = CheckSamePictures(near.model, far.model); !same) {
    return tl::unexpected(same.error());
  }
  const Expected<Frames> near_frames = WholeFrames(near, "near");
  if (!near_frames) {
    return tl::unexpected(near_frames.error());
  }
  const Expected<Frames> far_frames = WholeFrames(far, "far");
  if (!far_frames) {
    return tl::unexpected(far_frames.error());
  }
  const std::vector<std::string> only_near = NamesMissingIn(*far_frames, *near_frames);
  const std::vector<std::string> only_far = NamesMissingIn(*near_frames, *far_frames);
  if (!only_near.empty() || !only_far.empty()) {
    std::string message = "the two recordings are of different images:";
    if (!only_near.empty()) {
      message += " only near has " + ListFew(only_near) + (only_far.empty() ? "" : ";");
    }
    if (!only_far.empty()) {
      message += " only far has " + ListFew(only_far);
    }
    return Fail(ErrorCode::kInvalidInput, message + "; record both over the same images");
  }

  LabelledSet set;
  set.has_truth = truth != nullptr;
  const Expected<LabelSpace> classes =
      ChooseClasses(near, far, truth, synonyms, options, set.remarks);
  if (!classes) {
    return tl::unexpected(classes.error());
  }
  set.classes = *classes;
  const LabelMap near_map = MapLabels(near.classes.names, set.classes, synonyms);
  const LabelMap far_map = MapLabels(far.classes.names, set.classes, synonyms);
  std::map<std::string_view, const TruthImage*> truth_of;
  LabelMap truth_map;
  if (truth != nullptr) {
    truth_map = MapLabels(truth->classes.names, set.classes, synonyms);
    for (const TruthImage& image : truth->images) {
      truth_of.emplace(image.name, &image);
    }
  }

  std::vector<std::string> without_truth;
  std::vector<std::string> of_another_size;
  BoxCheck near_check;
  BoxCheck far_check;
  for (const RecordedFrame& frame : near.frames) {
    const RecordedFrame& far_frame = *far_frames->at(frame.name);
    if (frame.size != far_frame.size) {
      return Fail(ErrorCode::kInvalidInput,
                  "image " + frame.name + " is " + SizeText(frame.size) +
                      " in the near recording, but " + SizeText(far_frame.size) +
                      " in the far one: record both over the same images");
    }
    LabelledImage image{.near = frame.detections,
                        .far = far_frame.detections,
                        .size = frame.size,
                        .features = frame.features,
                        .key = HashText(frame.name)};
    near_map.Apply(image.near);
    far_map.Apply(image.far);
    near_check.Look(frame.name, image.near);
    far_check.Look(frame.name, image.far);
    if (truth != nullptr) {
      const auto found = truth_of.find(frame.name);
      if (found == truth_of.end()) {
        without_truth.push_back(frame.name);
        continue;
      }
      if (found->second->size != Size{} && found->second->size != frame.size) {
        of_another_size.push_back(frame.name);
        continue;
      }
      image.truth.emplace();
      for (const TruthObject& object : found->second->objects) {
        const bool known =
            object.label >= 0 && object.label < static_cast<int>(truth_map.label_of.size());
        const int label =
            known ? truth_map.label_of[static_cast<std::size_t>(object.label)] : kNoLabel;
        if (label != kNoLabel) {
          image.truth->push_back(
              {object.box, label, object.crowd || (object.difficult && !options.count_difficult)});
        }
      }
    }
    set.names.push_back(frame.name);
    set.images.push_back(std::move(image));
  }
  near_check.Remark("near", set.remarks);
  far_check.Remark("far", set.remarks);
  if (!without_truth.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "the truth says nothing of " + std::to_string(without_truth.size()) + " of " +
                    std::to_string(near.frames.size()) + " recorded images (" +
                    ListFew(without_truth) + "): give the annotations of the recorded images");
  }
  if (!of_another_size.empty()) {
    set.remarks.push_back(std::to_string(of_another_size.size()) +
                          " images left out, whose annotation tells another size than the "
                          "recordings: " +
                          ListFew(of_another_size));
  }
  if (set.images.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "no image is left: every annotation tells another size than the recordings");
  }
  return set;
}

}  // namespace nearfar
