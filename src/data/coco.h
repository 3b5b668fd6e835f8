#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "core/geometry.h"
#include "core/labels.h"

namespace nearfar {

/// Which numbers a COCO instances file gives to images and categories.
struct CocoCatalog {
  struct Image {
    std::int64_t id = 0;
    std::string name;  ///< key shared with truth and recordings
    std::string file;  ///< as the instances file writes it
    Size size;
  };

  LabelSpace classes;
  std::vector<Image> images;
  std::unordered_map<std::int64_t, std::size_t> index_of_image;  ///< by id, into `images`
  std::unordered_map<std::int64_t, int> label_of_category;       ///< by id, into `classes`
  std::map<int, std::int64_t> category_of_label;                 ///< the first of that class
};

/// Reads an instances JSON, or the one in a folder's annotations/. Errors as ReadTruth.
Expected<CocoCatalog> ReadCocoCatalog(const std::string& path,
                                      const Synonyms& synonyms = Synonyms::Default());

/// Writes detections as COCO results: an array of {image_id, category_id, bbox, score}. The file is
/// whole after every image, so that a killed run leaves what it had. Not thread-safe.
class CocoResultsWriter {
 public:
  /// Starts a new file, over one that was there.
  /// @param classes  label space of the detections to come
  /// @param catalog  gives the numbers. Without one, an image's number is its name where that is a
  ///                 number (COCO's own files), else its name as a text; a category's is COCO's own
  ///                 where the class is one of the 80, else its label + 1.
  /// Errors: kIo; kInvalidInput when no class of `classes` is in the catalog.
  static Expected<CocoResultsWriter> Open(const std::string& path, const LabelSpace& classes,
                                          const CocoCatalog* catalog = nullptr);

  /// Appends one image's boxes, in px of the image. Those whose class has no number are left out
  /// and counted. Errors: kIo; kNotFound for an image that the catalog does not know.
  Expected<void> Write(const std::string& image_name, const Detections& detections);

  /// Boxes left out because the catalog lacks their class.
  std::size_t left_out() const { return left_out_; }

 private:
  std::string path_;
  std::ofstream file_;
  bool has_catalog_ = false;
  std::unordered_map<std::string, std::int64_t> id_of_image_;
  std::vector<std::int64_t> category_of_label_;  ///< < 0: none
  bool empty_ = true;
  std::size_t left_out_ = 0;
};

/// COCO's own category number of a canonical class name, or -1.
int CocoCategoryId(const std::string& canonical_name);

}  // namespace nearfar
