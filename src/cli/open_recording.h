#pragma once

#include <string>

#include "core/expected.h"
#include "core/labels.h"
#include "data/recording.h"
#include "data/truth.h"

namespace nearfar::cli {

/// Opens what a model found, as OpenRecording does, and says what there is to remark on it.
Expected<Recording> OpenAndSay(const std::string& path, const std::string& images,
                               const Synonyms& synonyms);

/// Leaves out the images that the truth does not name, and says how many.
/// @param path  the recording's, for messages.
/// Errors: kInvalidInput when none is left.
Expected<void> KeepNamed(const Truth& truth, const std::string& path, Recording& recording);

}  // namespace nearfar::cli
