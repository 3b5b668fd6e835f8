#pragma once

#include <span>

#include "core/expected.h"
#include "tiling/tiling.h"

namespace nearfar {

/// How the regions' boxes become the frame's.
struct MergeOptions {
  float iou = 0.5F;           ///< two regions' boxes that overlap by more are one; (0, 1]
  float overview_iou = 0.4F;  ///< the same for an overview's box and a tile's, since the overview's
                              ///< are coarser; (0, 1]
  float shared_iou = 0.5F;    ///< a cut box and another are parts of one where they overlap by so
                              ///< much within what both regions see; (0, 1]
  float border_px = 4;        ///< a box that ends so near a region's inner border is cut, in px of
                              ///< what the model saw; >= 0

  friend bool operator==(const MergeOptions&, const MergeOptions&) = default;
};

/// Errors: kInvalidInput for a number outside its range.
Expected<void> Validate(const MergeOptions& options);

// Both merges take results in plan order, whatever order they came in; a region that was not
// answered is left out. Equal scores go by that order. A box whose corners or score are no numbers,
// or that lies outside its region, is dropped; one that sticks out is cut to its region. Boxes of
// different labels never touch each other.

/// [HODE §II] as printed: "filter out the duplicated bounding boxes by IoU": the best-scored box of
/// all stays, and those that overlap it by more than `iou` go. Cut boxes stay where they overlap
/// their whole one by less.
Merged MergeByIou(std::span<const RegionResult> results, const MergeOptions& options = {});

/// Merges by the border rule, which holds where people are large:
///  1. A box that ends at its region's inner border (not the frame's edge) is *cut*; the others are
///     whole. Whole boxes of different regions are one person where they overlap by more than
///     `iou`, each box of a region being another's: two people who stand close and are both seen by
///     a region, whole or cut, stay two. The best-scored one stands for them.
///  2. A cut box goes where another answered tile sees beyond the border that cuts it.
///  3. An overview's box is the person of the whole or cut box that agrees with it best: it goes
///     where that one is whole, and stays in its place where it is cut. Agreeing with none, it
///     stays if no answered tile has its place in full view: what such a tile did not find is not
///     there.
///  4. What is left of the cut boxes goes where a whole box agrees with it within its region. The
///     rest is all that is known of somebody: parts that agree with each other become one box
///     around them, and stay.
/// Perfect detections of all tiles and an overview that has everybody who is whole in no tile give
/// exactly the frame's.
Merged MergeByBorder(Size frame, std::span<const RegionResult> results,
                     const MergeOptions& options = {});

}  // namespace nearfar
