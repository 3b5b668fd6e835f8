#pragma once

#include <string>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "data/truth.h"

namespace nearfar {

/// Which part of an annotated set is read, and how its class names are understood.
struct TruthOptions {
  /// VOC: a list under ImageSets/Main; YOLO: an entry of data.yaml (train, val, test). Empty: VOC
  /// reads every annotation, YOLO the first of val, test, train that is there (and remarks which).
  /// Or a data set of the first paper by name, as "voc07++12:test" (see paper_datasets.h).
  std::string image_set;
};

/// Reads annotations in whichever of these forms stands at `path`:
///  - PASCAL VOC: a VOCdevkit or VOC20xx folder, one with Annotations/, one with the XML files
///    themselves, or a list ImageSets/Main/NAME.txt of one;
///  - COCO: an instances JSON, or a folder with annotations/instances_*.json;
///  - YOLO: data.yaml, or a folder with images/ and labels/ and the names in data.yaml or
///  classes.txt;
///  - MOTChallenge: a sequence folder with seqinfo.ini and gt/gt.txt;
///  - a track file (see tracks.h): NAME.gt.txt, a Stanford Drone scene, PANDA's tables and JSON;
///  - CSV: image,class,xmin,ymin,xmax,ymax[,difficult] with images.csv (image,width,height) beside
///  it.
/// CSV and the lists beside it may be gzipped. Class names become canonical by `synonyms`.
///
/// Boxes become continuous px: VOC's and the CSV's [xmin, xmax] are pixels counted from 1, both
/// inside, and become [xmin - 1, xmax); MOT's corner is counted from 1 too; COCO's is taken as it
/// is. Errors name the file, the line or key, and what to do: kNotFound, kInvalidInput,
/// kUnsupported, kIo.
Expected<Truth> ReadTruth(const std::string& path, const Synonyms& synonyms = Synonyms::Default(),
                          const TruthOptions& options = {});

/// The same for one form each, where the caller knows it.
Expected<Truth> ReadVocTruth(const std::string& path, const Synonyms& synonyms,
                             const TruthOptions& options);
Expected<Truth> ReadCocoTruth(const std::string& path, const Synonyms& synonyms);
Expected<Truth> ReadYoloTruth(const std::string& path, const Synonyms& synonyms,
                              const TruthOptions& options);
/// Pedestrians are `person`; what the benchmark neither wants nor punishes (people on vehicles,
/// static persons, distractors, reflections, entries marked to be ignored) is `person` and
/// difficult; vehicles and occluders are left out with a remark.
Expected<Truth> ReadMotTruth(const std::string& path);
Expected<Truth> ReadCsvTruth(const std::string& path, const Synonyms& synonyms);

/// A picture of a set whose boxes come from elsewhere.
struct ListedImage {
  std::string name;
  Size size;

  friend bool operator==(const ListedImage&, const ListedImage&) = default;
};

/// Names and sizes of a set of pictures: a CSV `image,width,height`, or whatever ReadTruth takes.
Expected<std::vector<ListedImage>> ReadImageList(const std::string& path,
                                                 const Synonyms& synonyms = Synonyms::Default());

}  // namespace nearfar
