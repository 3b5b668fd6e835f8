#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "data/truth.h"

namespace nearfar {

/// Which images of a data set of the paper's.
enum class PaperPart { kTrain, kTest, kAll };

/// One of the data sets of [SmallBig §VI.A.1] by name, written NAME:PART or NAME:PART:seed=N, for
/// coco-voc also :classes=A,B,...: "voc07++12:test:seed=3".
struct PaperSet {
  std::string name = "voc07";
  PaperPart part = PaperPart::kTest;
  std::uint64_t seed = 1;            ///< of the draws of voc07++12 and coco-voc
  std::vector<std::string> classes;  ///< of coco-voc; empty: the 20 of VOC

  friend bool operator==(const PaperSet&, const PaperSet&) = default;
};

/// What there is, for help texts.
struct PaperSetInfo {
  std::string_view name;
  std::string_view train;
  std::string_view test;
  std::string_view reading;  ///< what the paper leaves open and how it is read; may be empty
};
std::span<const PaperSetInfo> KnownPaperSets();

/// True where a text names a data set of the paper's rather than a list under ImageSets/Main: one
/// of the names, a colon, and whatever follows.
bool IsPaperSet(std::string_view text);
/// Errors: kInvalidInput, saying what is expected; kNotFound for a name there is not.
Expected<PaperSet> ParsePaperSet(std::string_view text);

/// Reads the images and annotations of a data set of the paper's.
///  - voc07, voc07+12, voc07++12: `path` is a VOCdevkit (or the folder above it) with VOC2007 and,
///    where it is wanted, VOC2012. The test images of voc07++12 are a draw of 4952/11540 of VOC2012
///    trainval: of the whole set 4,952, as in the paper.
///  - coco-voc: an instances JSON, or a folder whose annotations/ has instances_train* and
///    instances_val* of one year. The images with an object of the wanted classes; 5 % of them,
///    rounded up, are drawn as test images.
///  - helmet: a folder in VOC's style, its lists train (or trainval) and test.
/// A draw hangs on the seed and the images' names alone: the same on every machine and in whatever
/// order files are listed. The remarks say what was drawn and what the paper leaves open.
/// Errors: those of ReadTruth; kNotFound when a part of the set is not at `path`; kInvalidInput
/// when an image of one part has the name of one of another.
Expected<Truth> ReadPaperSet(const std::string& path, const PaperSet& set,
                             const Synonyms& synonyms = Synonyms::Default());

}  // namespace nearfar
