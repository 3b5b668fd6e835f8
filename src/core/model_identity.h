#pragma once

#include <string>

#include "core/expected.h"
#include "core/geometry.h"

namespace nearfar {

/// All that decides which boxes a detector gives for an image. Two recordings with equal identities
/// can stand for each other; a discriminator is valid for the identity that it was fitted on.
struct ModelIdentity {
  std::string name;           ///< package or file name; compared only where a hash is unknown
  std::string version;        ///< version folder of the package; for people, not compared
  std::string hash;           ///< first 16 hex digits of the model file's SHA-256; empty = unknown
  std::string preprocessing;  ///< canonical text of resize, channel order, normalisation
  std::string nms;            ///< canonical text of the NMS settings, or "none" before NMS
  double score_floor = 0.01;  ///< boxes scored below were dropped
  std::string label_map;      ///< version of the synonyms in force
  std::string pictures;       ///< what was done to the pictures before: "smoke:2 seed 1"; empty =
                              ///< nothing, as they came
  Size input;                 ///< network input in px; 0×0 = imported boxes, unknown

  friend bool operator==(const ModelIdentity&, const ModelIdentity&) = default;
};

/// What differs between two identities, as "hash: a ≠ b; input: ..." over the compared fields;
/// empty when one may stand for the other. Where a hash is unknown the names are compared instead.
std::string Difference(const ModelIdentity& a, const ModelIdentity& b);

/// Checks that two models were shown the same pictures, whatever they are.
/// Errors: kInvalidInput, naming what was done to the pictures of each.
Expected<void> CheckSamePictures(const ModelIdentity& near, const ModelIdentity& far);

}  // namespace nearfar
