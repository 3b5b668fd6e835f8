#include "data/mosaic.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "core/rng.h"

namespace nearfar {
namespace {

struct PictureRef {
  std::size_t set = 0;
  std::size_t image = 0;

  friend bool operator==(const PictureRef&, const PictureRef&) = default;
};

/// Deals pictures from a pack that is shuffled anew whenever it is used up.
class Pack {
 public:
  Pack(std::vector<PictureRef> pictures, std::uint64_t seed)
      : pictures_(std::move(pictures)), rng_(seed) {}

  /// The next picture that `taken` lacks, where the pack still has one or a new pack could.
  PictureRef Deal(std::span<const MosaicPiece> taken) {
    if (left_.empty()) {
      left_ = pictures_;
      rng_.Shuffle(left_);
    }
    const auto stands = [&](const PictureRef& picture) {
      return std::any_of(taken.begin(), taken.end(), [&](const MosaicPiece& piece) {
        return piece.set == picture.set && piece.image == picture.image;
      });
    };
    auto last = std::find_if_not(left_.rbegin(), left_.rend(), stands);
    if (last == left_.rend() && taken.size() < pictures_.size()) {
      // Only pictures that stand here already are left: a new pack goes below them.
      std::vector<PictureRef> fresh = pictures_;
      rng_.Shuffle(fresh);
      left_.insert(left_.begin(), fresh.begin(), fresh.end());
      last = std::find_if_not(left_.rbegin(), left_.rend(), stands);
    }
    const auto chosen = last == left_.rend() ? std::prev(left_.end()) : std::prev(last.base());
    const PictureRef picture = *chosen;
    left_.erase(chosen);
    return picture;
  }

 private:
  std::vector<PictureRef> pictures_;
  std::vector<PictureRef> left_;
  Rng rng_;
};

Expected<std::vector<PictureRef>> ListPictures(std::span<const Truth> sets) {
  std::vector<PictureRef> pictures;
  const TruthImage* first = nullptr;
  for (std::size_t s = 0; s < sets.size(); ++s) {
    if (sets[s].classes != sets[0].classes) {
      return Fail(ErrorCode::kInvalidInput,
                  "the sets to be laid side by side have other classes "
                  "than each other: give sets of one kind");
    }
    for (std::size_t i = 0; i < sets[s].images.size(); ++i) {
      const TruthImage& image = sets[s].images[i];
      if (image.file.empty()) {
        return Fail(ErrorCode::kInvalidInput,
                    "the image " + image.name + " has annotations and no picture");
      }
      if (first != nullptr && image.size != first->size) {
        const auto text = [](const TruthImage& of) {
          return of.file + " (" + std::to_string(of.size.width) + "x" +
                 std::to_string(of.size.height) + ")";
        };
        return Fail(ErrorCode::kInvalidInput,
                    "pictures of a mosaic are of one size: " + text(*first) + " and " +
                        text(image) + " are not; leave one of the sets out");
      }
      first = first == nullptr ? &image : first;
      pictures.push_back({s, i});
    }
  }
  if (pictures.empty()) {
    return Fail(ErrorCode::kInvalidInput, "the sets hold no picture to make a mosaic of");
  }
  return pictures;
}

/// By set, what its tracks' numbers grow by.
std::vector<std::int64_t> TrackOffsets(std::span<const Truth> sets) {
  std::vector<std::int64_t> offsets;
  std::int64_t next = 0;
  for (const Truth& set : sets) {
    offsets.push_back(next);
    std::int64_t largest = -1;
    for (const TruthImage& image : set.images) {
      for (const TruthObject& object : image.objects) {
        largest = std::max(largest, object.track);
      }
    }
    next += largest + 1;
  }
  return offsets;
}

std::string NameOfMosaic(std::uint64_t seed, int number) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%05d", number);
  return "mosaic" + std::to_string(seed) + "_" + digits;
}

}  // namespace

Expected<void> Validate(const MosaicOptions& options) {
  if (options.rows < 1 || options.rows > 16 || options.columns < 1 || options.columns > 16) {
    return Fail(ErrorCode::kInvalidInput, "a mosaic of " + std::to_string(options.rows) + "x" +
                                              std::to_string(options.columns) +
                                              " pictures: give 1 to 16 rows and columns");
  }
  if (options.count < 1 || options.count > 1'000'000) {
    return Fail(ErrorCode::kInvalidInput,
                std::to_string(options.count) + " mosaics: give a count of 1 to 1000000");
  }
  return {};
}

Expected<std::vector<Mosaic>> PlanMosaics(std::span<const Truth> sets,
                                          const MosaicOptions& options) {
  assert(!sets.empty());
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  const Expected<std::vector<PictureRef>> pictures = ListPictures(sets);
  if (!pictures) {
    return tl::unexpected(pictures.error());
  }
  const Size one = sets[pictures->front().set].images[pictures->front().image].size;
  if (std::int64_t{one.width} * options.columns > std::numeric_limits<std::int32_t>::max() ||
      std::int64_t{one.height} * options.rows > std::numeric_limits<std::int32_t>::max()) {
    return Fail(ErrorCode::kInvalidInput, "the mosaics would be too large: give fewer pictures");
  }
  const std::vector<std::int64_t> track_offsets = TrackOffsets(sets);
  Pack pack(*pictures, options.seed);
  std::vector<Mosaic> mosaics;
  mosaics.reserve(static_cast<std::size_t>(options.count));
  for (int m = 0; m < options.count; ++m) {
    Mosaic mosaic;
    mosaic.truth.name = NameOfMosaic(options.seed, m + 1);
    mosaic.truth.size = {one.width * options.columns, one.height * options.rows};
    for (int place = 0; place < options.rows * options.columns; ++place) {
      const PictureRef picture = pack.Deal(mosaic.pieces);
      const Rect rect{place % options.columns * one.width, place / options.columns * one.height,
                      one.width, one.height};
      for (TruthObject object : sets[picture.set].images[picture.image].objects) {
        const Box inside = ClipTo(object.box, one);
        if (inside.area() <= 0) {
          continue;
        }
        if (object.area >= 0 && object.box.area() > 0) {
          object.area *= inside.area() / object.box.area();
        }
        object.box = Translate(inside, static_cast<float>(rect.x), static_cast<float>(rect.y));
        object.track = object.track < 0 ? -1 : object.track + track_offsets[picture.set];
        mosaic.truth.objects.push_back(object);
      }
      mosaic.pieces.push_back({picture.set, picture.image, rect});
    }
    mosaics.push_back(std::move(mosaic));
  }
  return mosaics;
}

}  // namespace nearfar
