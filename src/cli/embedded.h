#pragma once

#include <string_view>

namespace nearfar::cli {

/// A file of examples/ that the program carries with it: "paper-hode.yaml",
/// "detectors/yolov8n.json"; empty: it carries none of that name.
std::string_view EmbeddedText(std::string_view name);

}  // namespace nearfar::cli
