#include "tiling/box_regions.h"

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

Rect Around(const Rect& a, const Rect& b) {
  const int x = std::min(a.x, b.x);
  const int y = std::min(a.y, b.y);
  return {x, y, std::max(a.x + a.width, b.x + b.width) - x,
          std::max(a.y + a.height, b.y + b.height) - y};
}

/// The whole pixels that a grown box touches, inside the frame; empty where there are none.
Rect GrownRect(const Box& box, Size frame, double grow) {
  const auto by_x = static_cast<float>(grow / 2) * box.width();
  const auto by_y = static_cast<float>(grow / 2) * box.height();
  const Box grown =
      ClipTo({box.x1 - by_x, box.y1 - by_y, box.x2 + by_x, box.y2 + by_y}, frame);
  const int x = static_cast<int>(std::floor(grown.x1));
  const int y = static_cast<int>(std::floor(grown.y1));
  return {x, y, static_cast<int>(std::ceil(grown.x2)) - x,
          static_cast<int>(std::ceil(grown.y2)) - y};
}

}  // namespace

std::vector<TiledRegion> RegionsAroundBoxes(const TileGrid& grid, const Detections& people,
                                            double grow, const JoinOptions& joining) {
  std::vector<TiledRegion> regions;
  for (const Detection& person : people) {
    const Box& box = person.box;
    if (!(box.area() > 0) || !std::isfinite(box.x1 + box.y1 + box.x2 + box.y2)) {
      continue;
    }
    Rect rect = GrownRect(box, grid.frame, grow);
    if (rect.width <= 0 || rect.height <= 0) {
      continue;
    }
    // The rectangle takes in whichever regions it gains by, and grows until there is none.
    std::vector<int> cells{grid.CellOf(box)};
    std::size_t place = regions.size();
    for (bool grew = true; grew;) {
      grew = false;
      for (std::size_t i = 0; i < regions.size(); ++i) {
        const Rect both = Around(rect, regions[i].rect);
        const std::int64_t apart =
            rect.size().area() + regions[i].rect.size().area() + joining.inference_pixels;
        if (!joining.on || both.size().area() > joining.most_pixels ||
            both.size().area() > apart) {
          continue;
        }
        rect = both;
        cells.insert(cells.end(), regions[i].cells.begin(), regions[i].cells.end());
        regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(i));
        place = std::min(place, i);
        grew = true;
        break;
      }
    }
    std::sort(cells.begin(), cells.end());
    cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
    place = std::min(place, regions.size());
    regions.insert(regions.begin() + static_cast<std::ptrdiff_t>(place),
                   {.rect = rect, .cells = std::move(cells), .input = rect.size()});
  }
  return regions;
}

}  // namespace nearfar
