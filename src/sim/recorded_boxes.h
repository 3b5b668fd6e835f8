#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/geometry.h"
#include "core/labels.h"
#include "core/tile_grid.h"
#include "data/recording.h"
#include "data/truth.h"
#include "sim/box_source.h"
#include "tiling/merge.h"
#include "tiling/tiling.h"

namespace nearfar {

struct RecordedBoxesOptions {
  double scale_tolerance = 1.3;  ///< a recording answers where it saw the region scaled by at most
                                 ///< this factor otherwise; >= 1. A part of the frame that its
                                 ///< model's input enlarged is answered at whatever scale
  MergeOptions merge;            ///< of tiles that stand for a joined rectangle
  double bytes_per_px = 0.15;    ///< of a frame as JPEG, where the recording does not say; >= 0

  friend bool operator==(const RecordedBoxesOptions&, const RecordedBoxesOptions&) = default;
};

/// A region that may be asked for.
struct RegionQuestion {
  Rect rect;   ///< in px of the frame
  Size input;  ///< to which it is scaled

  friend bool operator==(const RegionQuestion&, const RegionQuestion&) = default;
};

/// The boxes that real models found in real pixels, recorded tile by tile. A question is answered
/// by the recorded region of the same rectangle, or by the recorded tiles that lie in the rectangle
/// and fill it, merged by the border rule: what a model would have seen in the joined rectangle
/// beyond its tiles is not invented. A recording saw a region at the size to which it fits in its
/// model's input; of several that fit, the one nearest to the question's scale answers.
class RecordedBoxes final : public BoxSource {
 public:
  /// @param recordings  by model of the simulation: whole frames, tiles and overviews of it, each
  /// its
  ///                    own recording or together. A frame is one that every model has.
  /// @param truth       may be null. Images by name; classes map to `classes`.
  /// Errors: kInvalidInput when there is no recording, no common frame, a model's recordings are of
  /// different weights, a recording has boxes before NMS, or an option is out of range.
  static Expected<std::unique_ptr<RecordedBoxes>> Make(
      std::span<const std::vector<Recording>> recordings, const Truth* truth,
      const LabelSpace& classes, const RecordedBoxesOptions& options = {});

  /// Whether every model can answer the questions for every frame. Errors: kNotFound, naming the
  /// first region, frame and model that cannot be answered, and how many there are.
  Expected<void> Check(std::span<const RegionQuestion> questions) const;

  std::size_t frames() const override { return frames_.size(); }
  SimFrame Frame(std::size_t frame) const override { return frames_[frame]; }
  /// REQUIRES: a question that Check approves; others have no boxes.
  Detections Detect(std::size_t frame, const Rect& rect, Size input,
                    std::size_t model) const override;
  const std::vector<TruthObject>* TruthOf(std::size_t frame) const override;
  /// What was left out and how it was read.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  struct Region {
    Rect rect;
    double scale = 1;
    Detections detections;  ///< labels in the classes in force
  };

  RecordedBoxes() = default;
  bool Fits(const Region& region, Size frame, double asked) const;
  const Region* FindSame(std::size_t frame, const RegionQuestion& question,
                         std::size_t model) const;
  std::vector<const Region*> FindInside(std::size_t frame, const RegionQuestion& question,
                                        std::size_t model) const;

  std::vector<SimFrame> frames_;
  std::vector<std::string> models_;
  std::vector<std::vector<std::vector<Region>>> regions_;  ///< by model and frame
  std::vector<std::optional<std::vector<TruthObject>>> truth_;
  std::vector<std::string> remarks_;
  RecordedBoxesOptions options_;
};

/// What a planner may ask of a frame cut so: every padded tile, and the overview where there is
/// one. The rectangles into which it joins neighbours are filled by those tiles.
std::vector<RegionQuestion> QuestionsOf(const TileGrid& grid, const Padding& padding,
                                        std::optional<Size> overview);

}  // namespace nearfar
