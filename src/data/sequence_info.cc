#include "data/sequence_info.h"

#include <string_view>

#include "data/text.h"

namespace nearfar {

Expected<SequenceInfo> ReadSequenceInfo(const std::string& file) {
  const Expected<std::string> text = ReadFileText(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  SequenceInfo info;
  std::string_view rest = *text;
  for (int line = 1; !rest.empty(); ++line) {
    const auto parts = SplitAt(TakeLine(rest), '=');
    if (parts.size() != 2) {
      continue;
    }
    const std::string_view key = parts[0];
    if (key == "name") {
      info.name = parts[1];
    } else if (key == "imDir") {
      info.pictures = parts[1];
    } else if (key == "imExt") {
      info.extension = parts[1];
    } else if (key == "imWidth" || key == "imHeight" || key == "seqLength" || key == "frameRate") {
      const auto number = ParseNumber(parts[1]);
      const double least = key == "frameRate" ? 0.001 : 1;
      if (!number || *number < least || *number > 1e6) {
        return Fail(ErrorCode::kInvalidInput,
                    file + ":" + std::to_string(line) + ": " + std::string(key) + " is '" +
                        std::string(parts[1]) + "', no number of at least " +
                        (key == "frameRate" ? "0.001" : "1"));
      }
      if (key == "frameRate") {
        info.fps = *number;
      } else {
        (key == "imWidth"    ? info.size.width
         : key == "imHeight" ? info.size.height
                             : info.length) = static_cast<int>(*number);
      }
    }
  }
  if (info.size.area() == 0) {
    return Fail(ErrorCode::kInvalidInput, file + ": lacks imWidth or imHeight");
  }
  return info;
}

}  // namespace nearfar
