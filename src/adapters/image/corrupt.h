#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/expected.h"
#include "core/pixels.h"

namespace nearfar {

/// What spoils a camera's pictures: the five that the paper names, for robustness [SmallBig §VI.A].
enum class CorruptionKind {
  kBlur,       ///< out of focus: every point is a disc
  kOcclusion,  ///< things close to the lens hide parts of the view, out of focus themselves
  kWater,      ///< drops on the lens: each shows the scene upside down, rimmed and blurred
  kSmoke,      ///< drifting grey smoke, thicker in places
  kDark,       ///< too little light: dim, with the sensor's noise
};

struct Corruption {
  CorruptionKind kind = CorruptionKind::kBlur;
  int strength = 1;        ///< 1 (a nuisance) to 3 (hard for people too)
  std::uint64_t seed = 1;  ///< with the picture's name it decides where drops and the like lie

  friend bool operator==(const Corruption&, const Corruption&) = default;
};

/// Reads KIND:STRENGTH, as in "smoke:2". Errors: kInvalidInput, naming the kinds and strengths.
Expected<Corruption> ParseCorruption(std::string_view text);

/// All that decides what a corruption does to a picture of a given name: "smoke:2 seed 1".
std::string ToString(const Corruption& corruption);

/// Spoils a picture. Lengths grow with the picture, so that a large and a small copy are spoiled
/// alike; a stronger corruption of one name has the same layout and more of it. The same seed and
/// name give the same pixels.
/// @param name  key of the picture (Frame::name).
/// REQUIRES: 1 <= strength <= 3; an empty picture stays empty.
Image Corrupt(const PixelView& picture, const Corruption& corruption, std::string_view name);

}  // namespace nearfar
