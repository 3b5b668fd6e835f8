#include "adapters/image/corrupt.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <utility>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

struct KindName {
  CorruptionKind kind;
  std::string_view name;
};
constexpr KindName kKinds[] = {{CorruptionKind::kBlur, "blur"},
                               {CorruptionKind::kOcclusion, "occlusion"},
                               {CorruptionKind::kWater, "water"},
                               {CorruptionKind::kSmoke, "smoke"},
                               {CorruptionKind::kDark, "dark"}};

/// One value for each strength.
using Grades = std::array<double, 3>;

double Grade(const Grades& grades, int strength) {
  return grades[static_cast<std::size_t>(strength - 1)];
}

/// The length that everything is measured in: 1 % of the side of a square of the picture's area.
double UnitOf(const cv::Mat& picture) {
  return std::sqrt(static_cast<double>(picture.cols) * picture.rows) / 100;
}

/// What a lens out of focus does: every point becomes a disc of this radius in px.
cv::Mat Defocus(const cv::Mat& picture, double radius) {
  const int reach = static_cast<int>(std::ceil(radius));
  if (radius < 0.5) {
    return picture.clone();
  }
  cv::Mat disc(2 * reach + 1, 2 * reach + 1, CV_32F);
  for (int y = -reach; y <= reach; ++y) {
    for (int x = -reach; x <= reach; ++x) {
      disc.at<float>(y + reach, x + reach) =
          static_cast<float>(std::clamp(radius + 0.5 - std::hypot(x, y), 0.0, 1.0));
    }
  }
  disc /= cv::sum(disc)[0];
  cv::Mat blurred;
  cv::filter2D(picture, blurred, -1, disc, {-1, -1}, 0, cv::BORDER_REPLICATE);
  return blurred;
}

cv::Mat Smoothed(const cv::Mat& picture, double sigma) {
  cv::Mat smooth;
  cv::GaussianBlur(picture, smooth, {}, std::max(sigma, 0.3), 0, cv::BORDER_REPLICATE);
  return smooth;
}

/// Lays `over` on the picture where the mask (float, 0 to 1) says so.
cv::Mat Blend(const cv::Mat& picture, const cv::Mat& over, const cv::Mat& mask) {
  cv::Mat blended(picture.size(), CV_8UC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const float m = mask.at<float>(y, x);
      for (int c = 0; c < 3; ++c) {
        blended.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<std::uint8_t>(
            (1 - m) * static_cast<float>(picture.at<cv::Vec3b>(y, x)[c]) +
            m * static_cast<float>(over.at<cv::Vec3b>(y, x)[c]));
      }
    }
  }
  return blended;
}

/// Clouds: noise of several sizes, each half as strong as the one twice its size; 0 to 1.
cv::Mat Clouds(cv::Size size, int octaves, Rng& rng) {
  cv::Mat sum(size, CV_32F, cv::Scalar(0));
  double weight = 1;
  for (int octave = 0; octave < octaves; ++octave) {
    const int cells = 3 << octave;
    cv::Mat grid(cells + 1, cells + 1, CV_32F);
    for (auto value = grid.begin<float>(); value != grid.end<float>(); ++value) {
      *value = static_cast<float>(rng.Uniform());
    }
    cv::Mat layer;
    cv::resize(grid, layer, size, 0, 0, cv::INTER_CUBIC);
    sum += weight * layer;
    weight /= 2;
  }
  cv::Mat clouds;
  cv::normalize(sum, clouds, 0, 1, cv::NORM_MINMAX);
  return clouds;
}

cv::Mat Occlude(const cv::Mat& picture, int strength, Rng& rng) {
  const double wanted = Grade({0.10, 0.22, 0.38}, strength);
  const double unit = UnitOf(picture);
  cv::Mat things(picture.size(), CV_8UC3, cv::Scalar::all(0));
  cv::Mat hidden(picture.size(), CV_8U, cv::Scalar(0));
  const double all = static_cast<double>(picture.cols) * picture.rows;
  for (int i = 0; i < 200 && cv::countNonZero(hidden) < wanted * all; ++i) {
    // A lump of uneven outline, dull and a little lit from above.
    const cv::Point2d centre(rng.Uniform(0, picture.cols), rng.Uniform(0, picture.rows));
    const double width = unit * rng.Uniform(6, 16);
    const double height = unit * rng.Uniform(6, 16);
    const double turn = rng.Uniform(0, CV_PI);
    std::vector<cv::Point> outline;
    for (int corner = 0; corner < 14; ++corner) {
      const double angle = 2 * CV_PI * corner / 14;
      const double reach = rng.Uniform(0.75, 1.1);
      const double x = width * reach * std::cos(angle);
      const double y = height * reach * std::sin(angle);
      outline.emplace_back(cvRound(centre.x + x * std::cos(turn) - y * std::sin(turn)),
                           cvRound(centre.y + x * std::sin(turn) + y * std::cos(turn)));
    }
    const double grey = rng.Uniform(20, 95);
    const cv::Scalar colour(grey * rng.Uniform(0.7, 1), grey * rng.Uniform(0.85, 1.05),
                            grey * rng.Uniform(0.9, 1.15));
    cv::fillPoly(things, std::vector<std::vector<cv::Point>>{outline}, colour, cv::LINE_AA);
    cv::fillPoly(hidden, std::vector<std::vector<cv::Point>>{outline}, cv::Scalar(255));
  }
  // What lies beside a thing must not darken its edge: its colour is spread before the edge is
  // softened.
  cv::Mat spread;
  cv::dilate(things, spread,
             cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(2 * cvRound(unit * 2) + 1,
                                                                   2 * cvRound(unit * 2) + 1)));
  things.copyTo(spread, hidden);
  cv::Mat mask;
  hidden.convertTo(mask, CV_32F, 1.0 / 255);
  return Blend(picture, Smoothed(spread, unit), Smoothed(mask, unit * 0.5));
}

struct Drop {
  cv::Point2d centre;
  double radius = 0;
  double flat = 1;  // height by width
};

cv::Mat Wet(const cv::Mat& picture, int strength, Rng& rng) {
  const double wanted = Grade({0.14, 0.28, 0.46}, strength);
  const double unit = UnitOf(picture);
  const double all = static_cast<double>(picture.cols) * picture.rows;
  std::vector<Drop> drops;
  double covered = 0;
  for (int i = 0; i < 3000 && covered < wanted * all; ++i) {
    // Few large drops and many small ones.
    const double size = rng.Uniform();
    const Drop drop{{rng.Uniform(0, picture.cols), rng.Uniform(0, picture.rows)},
                    unit * (1.2 + 8 * size * size * size),
                    rng.Uniform(0.9, 1.35)};
    const bool free = std::all_of(drops.begin(), drops.end(), [&](const Drop& other) {
      return std::hypot(other.centre.x - drop.centre.x, other.centre.y - drop.centre.y) >
             0.9 * (other.radius * other.flat + drop.radius);
    });
    if (free) {
      drops.push_back(drop);
      covered += CV_PI * drop.radius * drop.radius * drop.flat;
    }
  }
  const cv::Mat far = Defocus(picture, 0.6 * unit);
  cv::Mat wet = picture.clone();
  for (const Drop& drop : drops) {
    const double height = drop.radius * drop.flat;
    const int x0 = std::max(0, static_cast<int>(drop.centre.x - drop.radius));
    const int x1 = std::min(picture.cols - 1, static_cast<int>(drop.centre.x + drop.radius) + 1);
    const int y0 = std::max(0, static_cast<int>(drop.centre.y - height));
    const int y1 = std::min(picture.rows - 1, static_cast<int>(drop.centre.y + height) + 1);
    for (int y = y0; y <= y1; ++y) {
      for (int x = x0; x <= x1; ++x) {
        const double u = (x - drop.centre.x) / drop.radius;
        const double v = (y - drop.centre.y) / height;
        const double r = std::hypot(u, v);
        if (r >= 1) {
          continue;
        }
        // A drop is a strong little lens: it turns a wide view upside down, wider to its edge.
        const double bend = 2.5 + 2 * r * r;
        const int sx =
            std::clamp(cvRound(drop.centre.x - u * drop.radius * bend), 0, picture.cols - 1);
        const int sy = std::clamp(cvRound(drop.centre.y - v * height * bend), 0, picture.rows - 1);
        // Dark towards the rim, more so above; a bright arc below and a glint above.
        const double rim = std::pow(r, 6);
        double light = 1.05 - rim * (0.45 - 0.4 * v);
        const double glint = std::hypot(u + 0.35, v + 0.45);
        const double shine = glint < 0.22 ? 120 * (1 - glint / 0.22) : 0;
        const double soft =
            std::clamp((1 - r) * drop.radius / std::max(1.0, 0.25 * unit), 0.0, 1.0);
        cv::Vec3b& pixel = wet.at<cv::Vec3b>(y, x);
        const cv::Vec3b& seen = far.at<cv::Vec3b>(sy, sx);
        for (int c = 0; c < 3; ++c) {
          pixel[c] = cv::saturate_cast<std::uint8_t>((1 - soft) * pixel[c] +
                                                     soft * (light * seen[c] + shine));
        }
      }
    }
  }
  return wet;
}

cv::Mat Smoke(const cv::Mat& picture, int strength, Rng& rng) {
  const double least = Grade({0.05, 0.22, 0.42}, strength);
  const double most = Grade({0.50, 0.78, 0.94}, strength);
  cv::Mat thickness = Clouds(picture.size(), 5, rng);
  thickness.forEach<float>([&](float& t, const int*) {
    // Billows: the middle of the range is stretched.
    const double s = std::clamp((t - 0.2) / 0.6, 0.0, 1.0);
    t = static_cast<float>(least + (most - least) * s * s * (3 - 2 * s));
  });
  cv::Mat shade = Clouds(picture.size(), 4, rng);
  cv::Mat smoke(picture.size(), CV_8UC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const float grey = 150 + 75 * shade.at<float>(y, x);
      smoke.at<cv::Vec3b>(y, x) = {cv::saturate_cast<std::uint8_t>(grey),
                                   cv::saturate_cast<std::uint8_t>(grey),
                                   cv::saturate_cast<std::uint8_t>(grey * 0.99F)};
    }
  }
  return Blend(Defocus(picture, 0.1 * strength * UnitOf(picture)), smoke, thickness);
}

cv::Mat Darken(const cv::Mat& picture, int strength, Rng& rng) {
  const double light = Grade({0.20, 0.06, 0.018}, strength);  // of the light that there was
  const double photons = Grade({600, 150, 40}, strength);  // that white would give a pixel, dimmed
  std::array<double, 256> linear{};
  for (std::size_t i = 0; i < linear.size(); ++i) {
    linear[i] = std::pow(static_cast<double>(i) / 255, 2.2);
  }
  cv::Mat dark(picture.size(), CV_8UC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double seen = linear[picture.at<cv::Vec3b>(y, x)[c]];
        // Shot noise grows with the root of the light; the sensor adds its own.
        const double noise = std::sqrt(seen * photons + 4) / photons * rng.Normal();
        const double value = light * std::max(0.0, seen + noise);
        dark.at<cv::Vec3b>(y, x)[c] =
            cv::saturate_cast<std::uint8_t>(255 * std::pow(value, 1 / 2.2));
      }
    }
  }
  return dark;
}

}  // namespace

Expected<Corruption> ParseCorruption(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const std::string_view strength =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  for (const KindName& known : kKinds) {
    if (known.name == name && strength.size() == 1 && strength[0] >= '1' && strength[0] <= '3') {
      return Corruption{.kind = known.kind, .strength = strength[0] - '0'};
    }
  }
  std::string names;
  for (const KindName& known : kKinds) {
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  return Fail(ErrorCode::kInvalidInput, "'" + std::string(text) +
                                            "' is no corruption: write KIND:STRENGTH, a kind of " +
                                            names + " and a strength of 1, 2, 3, as in smoke:2");
}

std::string ToString(const Corruption& corruption) {
  std::string text;
  for (const KindName& known : kKinds) {
    if (known.kind == corruption.kind) {
      text = std::string(known.name);
    }
  }
  return text + ":" + std::to_string(corruption.strength) + " seed " +
         std::to_string(corruption.seed);
}

Image Corrupt(const PixelView& picture, const Corruption& corruption, std::string_view name) {
  assert(corruption.strength >= 1 && corruption.strength <= 3);
  Image spoiled(picture.size);
  if (spoiled.empty()) {
    return spoiled;
  }
  const cv::Mat from(picture.size.height, picture.size.width, CV_8UC3,
                     const_cast<std::uint8_t*>(picture.data),
                     static_cast<std::size_t>(picture.stride));
  Rng rng(MixBits(corruption.seed) ^ HashText(name) ^
          MixBits(static_cast<std::uint64_t>(corruption.kind)));
  cv::Mat to;
  switch (corruption.kind) {
    case CorruptionKind::kBlur:
      to = Defocus(from, Grade({0.45, 0.9, 1.6}, corruption.strength) * UnitOf(from));
      break;
    case CorruptionKind::kOcclusion:
      to = Occlude(from, corruption.strength, rng);
      break;
    case CorruptionKind::kWater:
      to = Wet(from, corruption.strength, rng);
      break;
    case CorruptionKind::kSmoke:
      to = Smoke(from, corruption.strength, rng);
      break;
    case CorruptionKind::kDark:
      to = Darken(from, corruption.strength, rng);
      break;
  }
  to.copyTo(cv::Mat(from.rows, from.cols, CV_8UC3, spoiled.data()));
  return spoiled;
}

}  // namespace nearfar
