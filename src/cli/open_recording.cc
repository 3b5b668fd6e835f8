#include "cli/open_recording.h"

#include <string_view>
#include <unordered_set>

#include "cli/report.h"
#include "data/imports.h"

namespace nearfar::cli {

Expected<Recording> OpenAndSay(const std::string& path, const std::string& images,
                               const Synonyms& synonyms) {
  Expected<Recording> recording = OpenRecording(path, images, synonyms);
  if (recording) {
    SayAll(path, recording->remarks);
  }
  return recording;
}

Expected<void> KeepNamed(const Truth& truth, const std::string& path, Recording& recording) {
  std::unordered_set<std::string_view> names;
  for (const TruthImage& image : truth.images) {
    names.insert(image.name);
  }
  const std::size_t before = recording.frames.size();
  const std::size_t others = std::erase_if(
      recording.frames, [&](const RecordedFrame& frame) { return !names.contains(frame.name); });
  if (before > 0 && others == before) {
    return Fail(ErrorCode::kInvalidInput,
                path +
                    " and the truth have no image in common; images are joined by file name "
                    "without folder and extension");
  }
  if (others > 0) {
    Say(path + ": " + std::to_string(others) + " recorded images without truth left out");
  }
  return {};
}

}  // namespace nearfar::cli
