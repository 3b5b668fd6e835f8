#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "data/truth.h"

namespace nearfar {

/// How annotated pictures are laid side by side.
struct MosaicOptions {
  int rows = 2;            ///< of pictures; [1, 16]
  int columns = 2;         ///< [1, 16]
  int count = 20;          ///< mosaics; [1, 1,000,000]
  std::uint64_t seed = 1;  ///< which pictures meet

  friend bool operator==(const MosaicOptions&, const MosaicOptions&) = default;
};

/// Errors: kInvalidInput for a number outside its range.
Expected<void> Validate(const MosaicOptions& options);

/// A picture in its place.
struct MosaicPiece {
  std::size_t set = 0;    ///< which of the annotated sets
  std::size_t image = 0;  ///< which of its images
  Rect rect;              ///< where it lies, in px of the mosaic

  friend bool operator==(const MosaicPiece&, const MosaicPiece&) = default;
};

/// A large picture made of smaller annotated ones, and what is then really in it.
struct Mosaic {
  std::vector<MosaicPiece> pieces;  ///< row by row
  TruthImage truth;                 ///< boxes moved along and cut at their own picture's edge
};

/// Plans mosaics of the sets' pictures. All pictures are dealt from a shuffled pack, and shuffled
/// anew when it is used up, so that each is used about as often as any other and none stands twice
/// in one mosaic while there are enough of them. Mosaic i, its name included, hangs on the sets,
/// the grid, the seed and i alone: more mosaics leave the first ones as they were. Tracks keep
/// apart: those of set k are numbered behind those of the sets before it. Errors: kInvalidInput
/// where the options are, there is no picture, a picture has no file or they are not all of one
/// size, or the sets' classes differ.
/// @param sets  REQUIRES: not empty.
Expected<std::vector<Mosaic>> PlanMosaics(std::span<const Truth> sets,
                                          const MosaicOptions& options);

}  // namespace nearfar
