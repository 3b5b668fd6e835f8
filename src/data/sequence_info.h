#pragma once

#include <string>

#include "core/expected.h"
#include "core/geometry.h"

namespace nearfar {

/// What the seqinfo.ini of a MOTChallenge sequence says.
struct SequenceInfo {
  std::string name;               ///< empty where it names none
  std::string pictures = "img1";  ///< folder of the pictures, beside the file
  std::string extension = ".jpg";
  int length = 0;  ///< frames; 0 where it does not say
  double fps = 0;  ///< frames per second; 0 where it does not say
  Size size;       ///< of a frame; area > 0

  friend bool operator==(const SequenceInfo&, const SequenceInfo&) = default;
};

/// Reads a seqinfo.ini. Unknown keys are ignored. Errors: kNotFound, kIo; kInvalidInput with file
/// and line where a number is none, or where imWidth or imHeight is missing.
Expected<SequenceInfo> ReadSequenceInfo(const std::string& file);

}  // namespace nearfar
