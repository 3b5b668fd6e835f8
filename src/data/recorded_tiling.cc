#include "data/recorded_tiling.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace nearfar {
namespace {

constexpr std::string_view kStart = "tiles ";

std::string TextOf(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

/// Takes the next word off a text.
std::string_view TakeWord(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::optional<int> NumberOf(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

std::optional<Size> SizeOf(std::string_view text) {
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) {
    return std::nullopt;
  }
  const auto width = NumberOf(text.substr(0, cross));
  const auto height = NumberOf(text.substr(cross + 1));
  return width && height ? std::optional(Size{*width, *height}) : std::nullopt;
}

/// Where the tiling's text starts; npos where there is none.
std::size_t StartOf(std::string_view pictures) {
  if (pictures.starts_with(kStart)) {
    return 0;
  }
  const std::size_t found = pictures.rfind(" tiles ");
  return found == std::string_view::npos ? found : found + 1;
}

}  // namespace

std::string ToString(const RecordedTiling& tiling) {
  std::string text =
      std::string(kStart) + TextOf(tiling.tile) + " padding " + TextOf(tiling.padding);
  if (tiling.overview > 0) {
    text += " overview " + std::to_string(tiling.overview);
  }
  return tiling.whole ? text + " whole" : text;
}

std::optional<RecordedTiling> ReadTiling(std::string_view pictures) {
  const std::size_t start = StartOf(pictures);
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = pictures.substr(start);
  RecordedTiling tiling;
  while (!rest.empty()) {
    const std::string_view key = TakeWord(rest);
    if (key == "whole") {
      tiling.whole = true;
      continue;
    }
    const std::string_view value = TakeWord(rest);
    if (key == "tiles" || key == "padding") {
      const auto size = SizeOf(value);
      if (!size) {
        return std::nullopt;
      }
      (key == "tiles" ? tiling.tile : tiling.padding) = *size;
    } else if (key == "overview") {
      const auto side = NumberOf(value);
      if (!side) {
        return std::nullopt;
      }
      tiling.overview = *side;
    }
  }
  return Validate(tiling) ? std::optional(tiling) : std::nullopt;
}

std::string WithoutTiling(std::string_view pictures) {
  const std::size_t start = std::min(StartOf(pictures), pictures.size());
  return std::string(pictures.substr(0, start > 0 && start < pictures.size() ? start - 1 : start));
}

Expected<void> Validate(const RecordedTiling& tiling) {
  if (tiling.tile.width < 1 || tiling.tile.height < 1) {
    return Fail(ErrorCode::kInvalidInput,
                "tiles of " + TextOf(tiling.tile) + " px: give sides of at least 1 px");
  }
  if (tiling.padding.width < 0 || tiling.padding.height < 0) {
    return Fail(ErrorCode::kInvalidInput,
                "a padding of " + TextOf(tiling.padding) + " px: give 0 or more");
  }
  if (tiling.overview < 0) {
    return Fail(ErrorCode::kInvalidInput, "an overview of " + std::to_string(tiling.overview) +
                                              " px: give its longer side, or 0 for none");
  }
  return {};
}

std::vector<RegionToRecord> RegionsToRecord(const RecordedTiling& tiling, Size frame) {
  assert(Validate(tiling) && frame.area() > 0);
  const TileGrid grid = MakeTileGrid(frame, tiling.tile);
  const auto id = [](int number) { return RegionId{static_cast<std::uint32_t>(number)}; };
  std::vector<RegionToRecord> regions;
  if (tiling.whole) {
    regions.push_back({id(grid.cells() + 1), WholeOf(frame), frame});
  }
  if (tiling.overview > 0) {
    const int longer = std::max(frame.width, frame.height);
    const auto scaled = [&](int side) {
      return tiling.overview >= longer
                 ? side
                 : std::max(1,
                            static_cast<int>(std::lround(1.0 * side * tiling.overview / longer)));
    };
    regions.push_back(
        {id(grid.cells()), WholeOf(frame), {scaled(frame.width), scaled(frame.height)}});
  }
  for (int cell = grid.cells() - 1; cell >= 0; --cell) {
    const Rect bare = grid.Cell(cell);
    const int left = std::max(0, bare.x - tiling.padding.width);
    const int top = std::max(0, bare.y - tiling.padding.height);
    const int right = std::min(frame.width, bare.x + bare.width + tiling.padding.width);
    const int bottom = std::min(frame.height, bare.y + bare.height + tiling.padding.height);
    const Rect rect{left, top, right - left, bottom - top};
    regions.push_back({id(cell), rect, rect.size()});
  }
  return regions;
}

}  // namespace nearfar
