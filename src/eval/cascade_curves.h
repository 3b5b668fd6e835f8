#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "eval/average_precision.h"
#include "eval/matching.h"
#include "eval/precision_curve.h"

namespace nearfar {

/// What a cascade is read for, many times over.
struct CascadeReading {
  std::optional<double> voc07;  ///< absent where no object is wanted
  std::int64_t found = 0;       ///< objects found by boxes scored above the threshold

  friend bool operator==(const CascadeReading&, const CascadeReading&) = default;
};

/// The matches of a pair laid out for reading one cascade after another: the boxes where a curve
/// bends (found or ignored ones) in order of score, and by image the wrong boxes, each as the bend
/// that it stands before. A wrong box behind the last bend moves no curve and is left out.
class CascadeCurves {
 public:
  /// @param merged  of MergeMatches; its first threshold is read.
  CascadeCurves(const MatchTable& merged, float score_threshold);

  std::size_t images() const { return halves_.size() / 2; }

 private:
  friend class CascadeState;

  struct Bend {
    std::uint32_t half = 0;  // image, + images where far's
    bool found = false;      // else ignored
    bool counts = false;     // found, and scored above the threshold
  };
  /// What one detector says of one image.
  struct Half {
    std::vector<std::uint32_t> before;   // bends that its wrong boxes stand before
    std::vector<std::uint32_t> objects;  // classes of the objects to be found, one each
  };

  std::vector<Bend> bends_;               // class after class
  std::vector<std::size_t> class_begin_;  // in bends_, and their end
  std::vector<Half> halves_;              // near's, then far's
};

/// One cascade of the pair, over images weighed by one draw: images go from near to far one by one,
/// so that a whole curve costs little more than one of its points. Figures equal those of
/// MeanAveragePrecision and CountObjects over the table of the cascade, to the last bit.
class CascadeState {
 public:
  /// Nothing is uploaded.
  /// @param drop_uploaded  an uploaded image vanishes, instead of being answered by far: what is
  ///                       read is near on the images that it keeps.
  /// @param draw           by image; empty: each once. Is not kept.
  /// REQUIRES: curves outlives this.
  CascadeState(const CascadeCurves& curves, bool drop_uploaded, ImageWeights draw = {});

  /// REQUIRES: the image is not uploaded yet.
  void Upload(std::size_t image);
  CascadeReading Read();

 private:
  void Add(std::size_t half, std::uint32_t weight);
  void Remove(std::size_t half);

  const CascadeCurves& curves_;
  bool drop_uploaded_;
  std::vector<std::uint32_t> weight_;  // by half
  std::vector<std::uint32_t> wrong_;   // before each bend, since the one before it
  std::vector<std::int64_t> wanted_;   // by class
  std::vector<CurvePoint> curve_;      // memory for Read
};

}  // namespace nearfar
