#pragma once

#include <span>
#include <string>

#include "core/expected.h"
#include "core/labels.h"
#include "data/coco.h"
#include "data/read_truth.h"
#include "data/recording.h"

namespace nearfar {

/// Reads the detections of a VOC devkit, comp4_det_SET_CLASS.txt with lines `id score xmin ymin
/// xmax ymax` (pixels counted from 1, both ends inside), as a recording over `images`, in their
/// order. The score floor is the lowest score found, rounded down; hash, preprocessing, NMS, input
/// size, service time and pixel features are absent. Detections of images that are not listed are
/// left out with a remark. Errors: kNotFound, kIo, kInvalidInput (a bad line, two sets in one
/// folder, no listed image in the files, an image without a size).
Expected<Recording> ReadComp4(const std::string& folder, std::span<const ListedImage> images,
                              const Synonyms& synonyms = Synonyms::Default());

/// Reads COCO results JSON, an array of {image_id, category_id, bbox, score}, as a recording over
/// the catalog's images, the same absent. Errors: kNotFound, kIo, kInvalidInput.
Expected<Recording> ReadCocoResults(const std::string& path, const CocoCatalog& catalog,
                                    const Synonyms& synonyms = Synonyms::Default());

/// Reads whichever of the three stands at `path`: a recording file, a folder with comp4_det_*.txt,
/// or COCO results.
/// @param images  what gives an import its images: for comp4 a VOC folder or a CSV
/// image,width,height
///                (empty: images.csv in the folder or the one above it), for COCO results the
///                instances JSON. A recording has its own.
/// Errors as the three, and kUnsupported for anything else.
Expected<Recording> OpenRecording(const std::string& path, const std::string& images = "",
                                  const Synonyms& synonyms = Synonyms::Default());

}  // namespace nearfar
