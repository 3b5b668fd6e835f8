#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/image_size.h"
#include "data/read_truth.h"
#include "data/sequence_info.h"
#include "data/text.h"
#include "data/tracks.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// The pictures of a sequence by their frame number.
Expected<std::map<long, std::string>> ListPictures(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (HasImageExtension(it->path().string())) {
      files.push_back(it->path());
    }
  }
  std::sort(files.begin(), files.end());
  std::map<long, std::string> pictures;
  for (const fs::path& file : files) {
    const auto number = ParseNumber(file.stem().string());
    if (!number) {
      return Fail(ErrorCode::kInvalidInput,
                  file.string() + ": a MOT picture is named by its frame number");
    }
    pictures.emplace(static_cast<long>(*number), file.string());
  }
  return pictures;
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
  const Expected<SequenceInfo> info = ReadSequenceInfo((root / "seqinfo.ini").string());
  if (!info) {
    return info.error().code == ErrorCode::kNotFound
               ? Fail(ErrorCode::kNotFound,
                      "the MOT sequence " + root.string() +
                          " needs its seqinfo.ini (imWidth, imHeight, seqLength): " +
                          info.error().message)
               : tl::unexpected(info.error());
  }
  // The rate says nothing of what is in the pictures.
  const Expected<Tracks> tracks =
      ReadTracks(table.string(), {.form = TrackForm::kMotGt, .fps = info->fps > 0 ? info->fps : 1});
  if (!tracks) {
    return tl::unexpected(tracks.error());
  }
  const Expected<std::map<long, std::string>> pictures = ListPictures(root / info->pictures);
  if (!pictures) {
    return tl::unexpected(pictures.error());
  }
  Truth truth = TracksAsTruth(*tracks);
  if (pictures->empty()) {
    return truth;
  }
  // Pictures, where there are some, say which frames the set has.
  std::map<long, std::size_t> index_of;
  for (std::size_t i = 0; i < tracks->frames.size(); ++i) {
    index_of.emplace(tracks->frames[i].number, i);
  }
  std::vector<TruthImage> images;
  std::size_t left_out = 0;
  for (const TruthImage& image : truth.images) {
    left_out += image.objects.size();
  }
  for (const auto& [number, file] : *pictures) {
    TruthImage image{.size = info->size};
    if (const auto found = index_of.find(number); found != index_of.end()) {
      image = std::move(truth.images[found->second]);
      left_out -= image.objects.size();
    }
    image.name = NameOf(file);
    image.file = file;
    images.push_back(std::move(image));
  }
  truth.images = std::move(images);
  if (left_out > 0) {
    truth.remarks.push_back(std::to_string(left_out) + " boxes of frames without a picture in " +
                            (root / info->pictures).string() + ": left out");
  }
  return truth;
}

}  // namespace nearfar
