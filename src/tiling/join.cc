#include "tiling/join.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <string>

namespace nearfar {
namespace {

/// Columns and rows of the grid, both ends inside.
struct Span {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;
};

Span Around(const Span& a, const Span& b) {
  return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
          std::max(a.bottom, b.bottom)};
}

struct Part {
  Span span;
  std::int64_t cost = 0;  ///< px and what the inference costs
  bool alive = true;
};

/// Two parts that would be joined.
struct Offer {
  std::int64_t saving = 0;
  int a = 0;  ///< a < b, into the parts
  int b = 0;
  int first = 0;   ///< the first cell of the one whose first cell comes first
  int second = 0;  ///< that of the other

  /// The worse one first, as a heap wants it.
  bool operator<(const Offer& other) const {
    if (saving != other.saving) {
      return saving < other.saving;
    }
    return first != other.first ? first > other.first : second > other.second;
  }
};

class Joiner {
 public:
  Joiner(const TileGrid& grid, const Padding& padding, const JoinOptions& options)
      : grid_(grid),
        padding_(padding),
        options_(options),
        owner_(static_cast<std::size_t>(grid.cells()), kNobody) {}

  std::vector<TiledRegion> Join(std::span<const int> cells) {
    for (const int cell : cells) {
      int& owner = owner_[static_cast<std::size_t>(cell)];
      if (owner == kNobody) {
        owner = static_cast<int>(parts_.size());
        const int column = cell % grid_.columns;
        const int row = cell / grid_.columns;
        const Span span{column, row, column, row};
        parts_.push_back({span, CostOf(span), true});
      }
    }
    if (options_.on) {
      JoinAll();
    }
    return Regions();
  }

 private:
  static constexpr int kNobody = -1;

  /// The rectangle around the padded tiles of a span.
  Rect RectOf(const Span& span) const {
    int left = grid_.frame.width;
    int right = 0;
    int top = grid_.frame.height;
    int bottom = 0;
    for (int row = span.top; row <= span.bottom; ++row) {
      const Rect first = PaddedTile(grid_, padding_, grid_.index(span.left, row));
      const Rect last = PaddedTile(grid_, padding_, grid_.index(span.right, row));
      left = std::min(left, first.x);
      right = std::max(right, last.x + last.width);
      top = std::min(top, first.y);
      bottom = std::max(bottom, first.y + first.height);
    }
    return {left, top, right - left, bottom - top};
  }
  std::int64_t CostOf(const Span& span) const {
    return RectOf(span).size().area() + options_.inference_pixels;
  }
  int FirstCell(const Part& part) const { return grid_.index(part.span.left, part.span.top); }

  /// Widens the span until every part that it runs into lies in it, and lists those parts.
  void Close(Span& span, std::vector<int>& inside) const {
    inside.clear();
    for (bool grown = true; grown;) {
      grown = false;
      inside.clear();
      for (int row = span.top; row <= span.bottom && !grown; ++row) {
        for (int column = span.left; column <= span.right; ++column) {
          const int owner = owner_[static_cast<std::size_t>(grid_.index(column, row))];
          if (owner == kNobody) {
            continue;
          }
          const Span& other = parts_[static_cast<std::size_t>(owner)].span;
          if (other.left < span.left || other.top < span.top || other.right > span.right ||
              other.bottom > span.bottom) {
            span = Around(span, other);
            grown = true;
            break;
          }
          if (grid_.index(column, row) == grid_.index(other.left, other.top)) {
            inside.push_back(owner);
          }
        }
      }
    }
  }

  /// What joining two parts saves; <= 0: nothing, or the rectangle would be too large.
  /// @param span, inside  the rectangle and the parts in it, when there is a saving.
  std::int64_t Weigh(int a, int b, Span& span, std::vector<int>& inside) const {
    const Part& one = parts_[static_cast<std::size_t>(a)];
    const Part& other = parts_[static_cast<std::size_t>(b)];
    span = Around(one.span, other.span);
    if (TooLarge(span)) {
      return 0;
    }
    Close(span, inside);
    if (TooLarge(span)) {
      return 0;
    }
    std::int64_t saving = -CostOf(span);
    for (const int part : inside) {
      saving += parts_[static_cast<std::size_t>(part)].cost;
    }
    return saving;
  }

  /// Whether already the cells alone have too many px: quick to see.
  bool TooLarge(const Span& span) const {
    const Rect first = grid_.Cell(grid_.index(span.left, span.top));
    const Rect last = grid_.Cell(grid_.index(span.right, span.bottom));
    const Size bare{last.x + last.width - first.x, last.y + last.height - first.y};
    return bare.area() > options_.most_pixels || RectOf(span).size().area() > options_.most_pixels;
  }

  void Propose(int a, int b, std::vector<Offer>& offers, std::vector<int>& inside) const {
    Span span;
    const std::int64_t saving = Weigh(a, b, span, inside);
    if (saving > 0) {
      const int first = FirstCell(parts_[static_cast<std::size_t>(a)]);
      const int second = FirstCell(parts_[static_cast<std::size_t>(b)]);
      offers.push_back({saving, a, b, std::min(first, second), std::max(first, second)});
    }
  }

  void JoinAll() {
    std::vector<Offer> offers;
    std::vector<int> inside;
    const int count = static_cast<int>(parts_.size());
    for (int a = 0; a < count; ++a) {
      for (int b = a + 1; b < count; ++b) {
        Propose(a, b, offers, inside);
      }
    }
    std::make_heap(offers.begin(), offers.end());
    while (!offers.empty()) {
      std::pop_heap(offers.begin(), offers.end());
      const Offer offer = offers.back();
      offers.pop_back();
      if (!parts_[static_cast<std::size_t>(offer.a)].alive ||
          !parts_[static_cast<std::size_t>(offer.b)].alive) {
        continue;
      }
      Span span;
      const std::int64_t saving = Weigh(offer.a, offer.b, span, inside);
      if (saving != offer.saving) {
        // A join in between has changed what lies there.
        if (saving > 0) {
          offers.push_back({saving, offer.a, offer.b, offer.first, offer.second});
          std::push_heap(offers.begin(), offers.end());
        }
        continue;
      }
      Take(span, inside);
      const int joined = static_cast<int>(parts_.size()) - 1;
      for (int part = 0; part < joined; ++part) {
        if (parts_[static_cast<std::size_t>(part)].alive) {
          const std::size_t before = offers.size();
          Propose(part, joined, offers, inside);
          if (offers.size() > before) {
            std::push_heap(offers.begin(), offers.end());
          }
        }
      }
    }
  }

  void Take(const Span& span, const std::vector<int>& inside) {
    for (const int part : inside) {
      parts_[static_cast<std::size_t>(part)].alive = false;
    }
    const int joined = static_cast<int>(parts_.size());
    parts_.push_back({span, CostOf(span), true});
    for (int row = span.top; row <= span.bottom; ++row) {
      for (int column = span.left; column <= span.right; ++column) {
        owner_[static_cast<std::size_t>(grid_.index(column, row))] = joined;
      }
    }
  }

  std::vector<TiledRegion> Regions() const {
    std::vector<TiledRegion> regions;
    for (const Part& part : parts_) {
      if (!part.alive) {
        continue;
      }
      TiledRegion region{.rect = RectOf(part.span)};
      for (int row = part.span.top; row <= part.span.bottom; ++row) {
        for (int column = part.span.left; column <= part.span.right; ++column) {
          region.cells.push_back(grid_.index(column, row));
        }
      }
      region.input = region.rect.size();
      regions.push_back(std::move(region));
    }
    std::sort(regions.begin(), regions.end(), [](const TiledRegion& a, const TiledRegion& b) {
      return a.cells.front() < b.cells.front();
    });
    return regions;
  }

  const TileGrid& grid_;
  const Padding& padding_;
  const JoinOptions& options_;
  std::vector<int> owner_;  ///< by cell: the part that has it
  std::vector<Part> parts_;
};

}  // namespace

Expected<void> Validate(const JoinOptions& options) {
  if (options.inference_pixels < 0 || options.most_pixels < 0) {
    return Fail(ErrorCode::kInvalidInput,
                "joining tiles: an inference costs " + std::to_string(options.inference_pixels) +
                    " px and a region has at most " + std::to_string(options.most_pixels) +
                    " px: give 0 or more for both");
  }
  return {};
}

std::vector<TiledRegion> JoinTiles(const TileGrid& grid, const Padding& padding,
                                   std::span<const int> cells, const JoinOptions& options) {
  assert(Validate(options));
  return Joiner(grid, padding, options).Join(cells);
}

}  // namespace nearfar
