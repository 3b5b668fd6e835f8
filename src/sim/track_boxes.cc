#include "sim/track_boxes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/phrase.h"
#include "core/rng.h"

namespace nearfar {
namespace {

/// Who lies in a region by less is not found there.
constexpr double kLeastSeen = 0.15;
/// Side of the squares that each may hold one box of nothing, in px of the frame.
constexpr int kFalseSquare = 128;
/// Width over height of people standing.
constexpr double kFalseShape = 0.41;

double UniformOf(std::uint64_t hash) {
  return static_cast<double>(MixBits(hash) >> 11) * 0x1.0p-53;
}

/// Somebody in one frame.
struct Person {
  Box box;      ///< in px of the frame
  Sight sight;  ///< of the whole box; the height is the region's to say
  std::uint64_t who = 0;
};

struct FrameOfPeople {
  SimFrame frame;
  double seconds = 0;
  std::vector<Person> people;
  std::vector<TruthObject> truth;
};

/// From px of the tracks to px of the frame.
struct Scaling {
  double scale = 1;
  double x = 0;
  double y = 0;

  Box Apply(const Box& box) const {
    const auto at = [&](float value, double shift) {
      return static_cast<float>(value * scale + shift);
    };
    return {at(box.x1, x), at(box.y1, y), at(box.x2, x), at(box.y2, y)};
  }
};

Scaling ScalingOf(Size scene, const TrackBoxesOptions& options) {
  const double w = scene.width;
  const double h = scene.height;
  if (options.fit == TrackBoxesOptions::Fit::kScale) {
    return {std::max(options.frame.width, options.frame.height) / std::max(w, h), 0, 0};
  }
  const double scale = std::min(options.frame.width / w, options.frame.height / h);
  return {scale, (options.frame.width - w * scale) / 2, (options.frame.height - h * scale) / 2};
}

class TrackBoxes final : public BoxSource {
 public:
  TrackBoxes(const Tracks& tracks, std::vector<PersonDetector> detectors,
             const TrackBoxesOptions& options)
      : detectors_(std::move(detectors)), seed_(options.seed) {
    const Size size = FrameSizeOf(tracks, options);
    const Scaling scaling = ScalingOf(tracks.frame, options);
    const auto bytes = static_cast<std::int64_t>(
        std::llround(options.bytes_per_px * static_cast<double>(size.area())));
    for (const PersonDetector& detector : detectors_) {
      keys_.push_back(MixBits(seed_) ^ HashText(detector.name));
    }
    const int person = tracks.classes.Find("person");
    for (const TrackFrame& frame : tracks.frames) {
      FrameOfPeople& in = frames_.emplace_back();
      in.frame = {.name = frame.name, .size = size, .upload_bytes = bytes};
      in.seconds = frame.seconds;
      in.frame.moment = FromMilliseconds(1e3 * frame.seconds);
      std::vector<Box> boxes;
      std::vector<const TrackedBox*> tracked;
      for (const TrackedBox& box : frame.boxes) {
        const Box scaled = scaling.Apply(box.box);
        if (box.label == person && box.score >= options.min_score && scaled.area() > 0) {
          boxes.push_back(scaled);
          tracked.push_back(&box);
        }
      }
      const std::vector<Sight> sights = Hiding(boxes);
      for (std::size_t i = 0; i < boxes.size(); ++i) {
        Person one{.box = boxes[i], .sight = sights[i]};
        one.sight.hidden = std::max(one.sight.hidden, 1.0 - tracked[i]->visibility);
        // Whom nobody follows is somebody else in every frame.
        one.who = tracked[i]->track >= 0 ? MixBits(static_cast<std::uint64_t>(tracked[i]->track))
                                         : MixBits(HashText(frame.name) + i);
        in.people.push_back(one);
        in.truth.push_back({.box = ClipTo(boxes[i], size), .difficult = tracked[i]->difficult});
      }
    }
  }

  std::size_t frames() const override { return frames_.size(); }
  SimFrame Frame(std::size_t frame) const override { return frames_[frame].frame; }
  const std::vector<TruthObject>* TruthOf(std::size_t frame) const override {
    return &frames_[frame].truth;
  }

  Detections Detect(std::size_t frame, const Rect& rect, Size input,
                    std::size_t model) const override {
    const FrameOfPeople& in = frames_[frame];
    const PersonDetector& detector = detectors_[model];
    const Look look{.region = {static_cast<float>(rect.x), static_cast<float>(rect.y),
                               static_cast<float>(rect.x + rect.width),
                               static_cast<float>(rect.y + rect.height)},
                    .scale = std::min(static_cast<double>(input.width) / rect.width,
                                      static_cast<double>(input.height) / rect.height),
                    .key = keys_[model],
                    .seconds = in.seconds};
    Detections found;
    for (const Person& person : in.people) {
      FindPerson(detector, person, look, found);
    }
    FindNothing(detector, look, found);
    std::stable_sort(found.begin(), found.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    return found;
  }

 private:
  /// One question: a region, seen by one model at one instant.
  struct Look {
    Box region;
    double scale = 1;
    std::uint64_t key = 0;  ///< of seed and model
    double seconds = 0;
  };

  static Box CutTo(const Box& region, const Box& box) {
    return {std::max(box.x1, region.x1), std::max(box.y1, region.y1), std::min(box.x2, region.x2),
            std::min(box.y2, region.y2)};
  }

  /// Moves each edge by what such a detector is off.
  static Box Misplace(const PersonDetector& detector, const Box& box, double scale,
                      std::uint64_t chance) {
    Rng rng(chance);
    const auto off = [&](float side) {
      const double share = detector.edge_share * side;
      const double px = detector.edge_px / scale;
      // A quarter of the side at most: an edge further off would find nobody.
      const double most = 0.25 * side;
      return static_cast<float>(
          std::clamp(rng.Normal() * std::sqrt(share * share + px * px), -most, most));
    };
    Box moved = box;
    moved.x1 += off(box.width());
    moved.x2 += off(box.width());
    moved.y1 += off(box.height());
    moved.y2 += off(box.height());
    return moved;
  }

  static void FindPerson(const PersonDetector& detector, const Person& person, const Look& look,
                         Detections& found) {
    const float inside = IntersectionArea(person.box, look.region);
    const double share = inside / person.box.area();
    if (share < kLeastSeen) {
      return;
    }
    const Box shown = CutTo(look.region, person.box);
    Sight sight = person.sight;
    sight.hidden = 1 - (1 - sight.hidden) * share;
    sight.height = shown.height() * look.scale;
    const std::uint64_t who = person.who ^ look.key;
    const auto score = ScoreOf(detector, sight, PersistentDeviate(detector, who, look.seconds));
    if (!score) {
      return;
    }
    const std::uint64_t chance =
        MixBits(who) ^ static_cast<std::uint64_t>(std::llround(look.seconds * 1e6));
    const Box box = CutTo(look.region, Misplace(detector, shown, look.scale, MixBits(chance + 1)));
    found.push_back({box, *score, 0});
    if (UniformOf(chance + 2) < detector.echoes) {
      // A part of somebody: narrower and shorter, somewhere within.
      const auto width = static_cast<float>((0.5 + 0.4 * UniformOf(chance + 3)) * shown.width());
      const auto height = static_cast<float>((0.3 + 0.3 * UniformOf(chance + 4)) * shown.height());
      const float x =
          shown.x1 + static_cast<float>(UniformOf(chance + 5)) * (shown.width() - width);
      const float y =
          shown.y1 + static_cast<float>(UniformOf(chance + 6)) * (shown.height() - height);
      found.push_back({{x, y, x + width, y + height},
                       FalseScoreOf(detector, detector.echo_above, UniformOf(chance + 7)),
                       0});
    }
  }

  static void FindNothing(const PersonDetector& detector, const Look& look, Detections& found) {
    const double seen_px = kFalseSquare * kFalseSquare * look.scale * look.scale;
    const double rate = std::min(1.0, detector.false_per_mpx * seen_px / 1e6);
    if (rate <= 0) {
      return;
    }
    // There for a while, and in that while at most instants: rate = present · again.
    const double again = std::max(detector.persistence, rate);
    const double present = rate / again;
    const auto instant = static_cast<std::uint64_t>(std::llround(look.seconds * 1e6));
    const auto square_of = [](double edge) {
      return static_cast<int>(std::floor(edge / kFalseSquare));
    };
    for (int row = square_of(look.region.y1); row <= square_of(look.region.y2); ++row) {
      for (int column = square_of(look.region.x1); column <= square_of(look.region.x2); ++column) {
        const std::uint64_t square =
            MixBits(look.key ^ MixBits(static_cast<std::uint64_t>(row) << 32 |
                                       static_cast<std::uint32_t>(column)));
        const double place = look.seconds / detector.persistence_s + UniformOf(square);
        const std::uint64_t chance =
            MixBits(square ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(place)) << 20);
        if (UniformOf(chance) >= present || UniformOf(chance ^ MixBits(instant)) >= again) {
          continue;
        }
        Rng rng(chance + 1);
        const double x = (column + rng.Uniform()) * kFalseSquare;
        const double y = (row + rng.Uniform()) * kFalseSquare;
        if (x < look.region.x1 || x >= look.region.x2 || y < look.region.y1 ||
            y >= look.region.y2) {
          continue;
        }
        const double octaves = std::clamp(rng.Normal(), -2.0, 2.0) * detector.false_spread;
        const double half = detector.false_height * std::exp2(octaves) / look.scale / 2;
        const double across = half * kFalseShape;
        const Box box =
            CutTo(look.region, {static_cast<float>(x - across), static_cast<float>(y - half),
                                static_cast<float>(x + across), static_cast<float>(y + half)});
        found.push_back({box, FalseScoreOf(detector, detector.false_above, rng.Uniform()), 0});
      }
    }
  }

  std::vector<PersonDetector> detectors_;
  std::vector<std::uint64_t> keys_;
  std::uint64_t seed_;
  std::vector<FrameOfPeople> frames_;
};

}  // namespace

Expected<void> Validate(const TrackBoxesOptions& options) {
  const auto wrong = [](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, "boxes of tracks: " + what);
  };
  if (options.frame.width < 1 || options.frame.height < 1 || options.frame.width > 100000 ||
      options.frame.height > 100000) {
    return wrong("the frame is " + std::to_string(options.frame.width) + "x" +
                 std::to_string(options.frame.height) + ", not within 1 and 100000 px");
  }
  if (!(options.bytes_per_px >= 0 && options.bytes_per_px <= 100)) {
    return wrong("bytes_per_px is " + ShortNumber(options.bytes_per_px) + ", not within 0 and 100");
  }
  if (!(options.min_score >= 0 && options.min_score <= 1)) {
    return wrong("min_score is " + ShortNumber(options.min_score) + ", not within 0 and 1");
  }
  return {};
}

Size FrameSizeOf(const Tracks& tracks, const TrackBoxesOptions& options) {
  if (options.fit == TrackBoxesOptions::Fit::kLetterbox) {
    return options.frame;
  }
  const double scale = ScalingOf(tracks.frame, options).scale;
  return {std::max(1, static_cast<int>(std::lround(tracks.frame.width * scale))),
          std::max(1, static_cast<int>(std::lround(tracks.frame.height * scale)))};
}

Expected<std::unique_ptr<BoxSource>> MakeTrackBoxes(const Tracks& tracks,
                                                    std::vector<PersonDetector> detectors,
                                                    const TrackBoxesOptions& options) {
  if (auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  if (detectors.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "boxes of tracks: no detector says what is found of " + tracks.name);
  }
  for (const PersonDetector& detector : detectors) {
    if (auto valid = Validate(detector); !valid) {
      return tl::unexpected(valid.error());
    }
  }
  if (tracks.frame.area() <= 0) {
    return Fail(ErrorCode::kInvalidInput,
                "boxes of tracks: nothing says how large the frames of " + tracks.name + " are");
  }
  return std::make_unique<TrackBoxes>(tracks, std::move(detectors), options);
}

}  // namespace nearfar
