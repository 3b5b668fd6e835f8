#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"

namespace nearfar {

/// Label of a box whose class maps to nothing in the label space in force.
inline constexpr int kNoLabel = -1;

/// Which spellings name the same class: "motorcycle" = "motorbike", "couch" = "sofa". Read from an
/// editable text: one class a line, `canonical = alias, alias, ...`; `#` starts a comment. Case,
/// `_` and `-` do not matter.
class Synonyms {
 public:
  Synonyms() = default;

  /// Errors: kInvalidInput with the line's number, when a line has no `=` or an alias has two owners.
  static Expected<Synonyms> Parse(std::string_view text);
  /// The ones that come with nearfar (data/synonyms.txt, compiled in).
  static const Synonyms& Default();
  /// The text of the default ones, to be edited and passed back to Parse.
  static std::string_view DefaultText();

  /// The canonical spelling of a class name; a name without an entry is its own, folded to lower case.
  std::string Canonical(std::string_view name) const;
  /// Changes whenever an entry does; part of a recording's key.
  const std::string& version() const { return version_; }

 private:
  std::map<std::string, std::string, std::less<>> canonical_of_;
  std::string version_ = "none";
};

/// The one named set of classes that near, far and truth are mapped to before any policy sees a box.
/// Labels are indices into `names`; names are canonical and unique.
struct LabelSpace {
  std::vector<std::string> names;

  int size() const { return static_cast<int>(names.size()); }
  /// Index of a canonical name, or kNoLabel.
  int Find(std::string_view canonical_name) const;
  friend bool operator==(const LabelSpace&, const LabelSpace&) = default;
};

/// The space of the given names in their order, canonical, repeats dropped.
LabelSpace MakeLabelSpace(const std::vector<std::string>& names, const Synonyms& synonyms);
/// The 20 classes of PASCAL VOC and the 80 of COCO, in their canonical spelling.
const LabelSpace& VocLabels();
const LabelSpace& CocoLabels();

/// From one list of class names (a model's, a dataset's) to a label space.
struct LabelMap {
  std::vector<int> label_of;          ///< label in the space for each class index, or kNoLabel
  std::vector<std::string> unmapped;  ///< names that map to nothing: to be printed, never hidden

  /// Relabels in place and drops boxes of unmapped classes or of a class index out of range.
  void Apply(Detections& detections) const;
};

LabelMap MapLabels(const std::vector<std::string>& from, const LabelSpace& to,
                   const Synonyms& synonyms);

}  // namespace nearfar
