#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_size.h"
#include "data/read_truth.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// What seqinfo.ini says of a sequence.
struct Sequence {
  fs::path pictures;
  std::string extension = ".jpg";
  int length = 0;
  Size size;
};

Expected<Sequence> ReadSequence(const fs::path& root) {
  const fs::path file = root / "seqinfo.ini";
  const Expected<std::string> text = ReadFileText(file.string());
  if (!text) {
    return Fail(text.error().code, "the MOT sequence " + root.string() +
                                       " needs its seqinfo.ini (imWidth, imHeight, seqLength): " +
                                       text.error().message);
  }
  Sequence sequence{.pictures = root / "img1"};
  std::string_view rest = *text;
  for (int line = 1; !rest.empty(); ++line) {
    const auto parts = SplitAt(TakeLine(rest), '=');
    if (parts.size() != 2) {
      continue;
    }
    const std::string_view key = parts[0];
    if (key == "imDir") {
      sequence.pictures = root / std::string(parts[1]);
    } else if (key == "imExt") {
      sequence.extension = parts[1];
    } else if (key == "imWidth" || key == "imHeight" || key == "seqLength") {
      const auto number = ParseNumber(parts[1]);
      if (!number || *number < 1 || *number > 1e6) {
        return Fail(ErrorCode::kInvalidInput,
                    file.string() + ":" + std::to_string(line) + ": " + std::string(key) + " is '" +
                        std::string(parts[1]) + "', no number of at least 1");
      }
      (key == "imWidth"    ? sequence.size.width
       : key == "imHeight" ? sequence.size.height
                           : sequence.length) = static_cast<int>(*number);
    }
  }
  if (sequence.size.area() == 0) {
    return Fail(ErrorCode::kInvalidInput, file.string() + ": lacks imWidth or imHeight");
  }
  return sequence;
}

}  // namespace

Expected<Truth> ReadMotTruth(const std::string& path) {
  fs::path root = fs::absolute(path).lexically_normal();
  if (root.filename().empty()) {
    root = root.parent_path();
  }
  fs::path table = root / "gt" / "gt.txt";
  if (!fs::is_directory(root)) {
    const bool is_gt = root.filename() == "gt.txt";
    table = is_gt ? root : root.parent_path() / "gt" / "gt.txt";
    root = is_gt ? root.parent_path().parent_path() : root.parent_path();
  }
  const Expected<Sequence> sequence = ReadSequence(root);
  if (!sequence) {
    return tl::unexpected(sequence.error());
  }
  const Expected<std::string> text = ReadFileText(table.string());
  if (!text) {
    return tl::unexpected(text.error());
  }

  Truth truth{.classes = {{"person"}}};
  std::map<long, std::size_t> index_of;  // by frame number
  std::vector<fs::path> pictures;
  std::error_code error;
  for (fs::directory_iterator it(sequence->pictures, error), end; !error && it != end;
       it.increment(error)) {
    if (HasImageExtension(it->path().string())) {
      pictures.push_back(it->path());
    }
  }
  std::sort(pictures.begin(), pictures.end());
  for (const fs::path& picture : pictures) {
    const auto number = ParseNumber(picture.stem().string());
    if (!number) {
      return Fail(ErrorCode::kInvalidInput,
                  picture.string() + ": a MOT picture is named by its frame number");
    }
    index_of.emplace(static_cast<long>(*number), truth.images.size());
    truth.images.push_back({picture.stem().string(), picture.string(), sequence->size, {}});
  }
  for (int number = 1; pictures.empty() && number <= sequence->length; ++number) {
    char name[16];
    std::snprintf(name, sizeof name, "%06d", number);
    index_of.emplace(number, truth.images.size());
    truth.images.push_back({name, "", sequence->size, {}});
  }

  std::size_t other_classes = 0;
  std::size_t other_frames = 0;
  std::string_view rest = *text;
  for (int line = 1; !rest.empty(); ++line) {
    const std::string_view row = TakeLine(rest);
    if (Trim(row).empty()) {
      continue;
    }
    const auto fields = SplitAt(row, ',');
    std::array<double, 8> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = i < fields.size() ? ParseNumber(fields[i]) : std::nullopt;
      if (!value) {
        return Fail(
            ErrorCode::kInvalidInput,
            table.string() + ":" + std::to_string(line) +
                ": expected frame,id,left,top,width,height,marked,class[,visibility], got '" +
                std::string(row.substr(0, 60)) + "'");
      }
      values[i] = *value;
    }
    const auto frame = index_of.find(static_cast<long>(values[0]));
    if (frame == index_of.end()) {
      ++other_frames;
      continue;
    }
    const int kind = static_cast<int>(values[7]);
    const bool pedestrian = kind == 1 || kind < 0;  // MOT15 knows no classes
    const bool neutral = kind == 2 || kind == 7 || kind == 8 || kind == 12;
    if (!pedestrian && !neutral) {
      ++other_classes;
      continue;
    }
    // Corners are counted from 1.
    const auto left = static_cast<float>(values[2] - 1);
    const auto top = static_cast<float>(values[3] - 1);
    truth.images[frame->second].objects.push_back(
        {.box = {left, top, left + static_cast<float>(values[4]),
                 top + static_cast<float>(values[5])},
         .label = 0,
         .difficult = neutral || values[6] == 0});
  }
  if (other_classes > 0) {
    truth.remarks.push_back(std::to_string(other_classes) +
                            " boxes of vehicles and occluders: left out");
  }
  if (other_frames > 0) {
    truth.remarks.push_back(std::to_string(other_frames) +
                            " boxes of frames without a picture in " + sequence->pictures.string() +
                            ": left out");
  }
  return truth;
}

}  // namespace nearfar
