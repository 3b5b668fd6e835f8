#include "core/model_identity.h"

#include <cmath>

namespace nearfar {

namespace {

std::string PicturesOf(const ModelIdentity& identity) {
  return identity.pictures.empty() ? "as they came" : identity.pictures;
}

}  // namespace

std::string Difference(const ModelIdentity& a, const ModelIdentity& b) {
  std::string difference;
  const auto compare = [&](const char* field, const std::string& left, const std::string& right) {
    if (left != right) {
      difference += (difference.empty() ? "" : "; ") + std::string(field) + ": " + left + " ≠ " + right;
    }
  };
  const auto size_text = [](Size size) {
    return std::to_string(size.width) + "x" + std::to_string(size.height);
  };
  if (a.hash.empty() || b.hash.empty()) {
    compare("name", a.name, b.name);
  } else {
    compare("hash", a.hash, b.hash);
  }
  compare("preprocessing", a.preprocessing, b.preprocessing);
  compare("pictures", PicturesOf(a), PicturesOf(b));
  compare("nms", a.nms, b.nms);
  compare("label map", a.label_map, b.label_map);
  compare("input", size_text(a.input), size_text(b.input));
  if (std::abs(a.score_floor - b.score_floor) > 1e-9) {
    compare("score floor", std::to_string(a.score_floor), std::to_string(b.score_floor));
  }
  return difference;
}

Expected<void> CheckSamePictures(const ModelIdentity& near, const ModelIdentity& far) {
  if (near.pictures == far.pictures) {
    return {};
  }
  return Fail(ErrorCode::kInvalidInput, "the two models saw different pictures: near (" + near.name +
                                            ") " + PicturesOf(near) + ", far (" + far.name + ") " +
                                            PicturesOf(far) +
                                            "; record both with the same --corrupt and --seed");
}

}  // namespace nearfar
