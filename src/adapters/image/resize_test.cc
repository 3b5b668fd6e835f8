#include <gtest/gtest.h>

#include <cstdlib>
#include <opencv2/imgproc.hpp>

#include "core/rng.h"
#include "models/preprocess.h"

namespace nearfar {
namespace {

TEST(ResizeBilinear, EqualsOpenCvsLinearResizeBitForBit) {
  Rng rng(21);
  const auto side = [&](int limit) {
    return 1 + static_cast<int>(rng.Below(static_cast<std::uint64_t>(limit)));
  };
  for (int i = 0; i < 300; ++i) {
    const Size from{side(i % 3 == 0 ? 8 : 300), side(i % 3 == 1 ? 8 : 300)};
    // Any factor up and down; every fifth case exactly half, every seventh only one axis half.
    const Size to = i % 5 == 0   ? Size{std::max(1, from.width / 2), std::max(1, from.height / 2)}
                    : i % 7 == 0 ? Size{std::max(1, from.width / 2), side(300)}
                                 : Size{side(300), side(300)};
    Image image(from);
    for (std::int64_t b = 0; b < 3 * from.area(); ++b) {
      image.data()[b] = static_cast<std::uint8_t>(rng.Next());
    }
    const Image ours = ResizeBilinear(image.view(), to);
    const cv::Mat theirs_from(from.height, from.width, CV_8UC3, image.data());
    cv::Mat theirs;
    cv::resize(theirs_from, theirs, {to.width, to.height}, 0, 0, cv::INTER_LINEAR);
    int largest = 0;
    for (int y = 0; y < to.height; ++y) {
      for (int x = 0; x < 3 * to.width; ++x) {
        largest =
            std::max(largest, std::abs(ours.view().row(y)[x] - theirs.ptr<std::uint8_t>(y)[x]));
      }
    }
    ASSERT_EQ(largest, 0) << from.width << "x" << from.height << " to " << to.width << "x"
                          << to.height;
  }
}

}  // namespace
}  // namespace nearfar
