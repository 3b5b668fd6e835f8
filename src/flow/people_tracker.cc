#include "flow/people_tracker.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <tuple>

#include "flow/count_grid.h"

namespace nearfar {
namespace {

constexpr std::uint32_t kNobody = ~std::uint32_t{0};
constexpr double kForget = 0.9995;  // of the counts of found and overlooked, per person
constexpr float kMostSize = 4;      // a gate never reaches over more cells than this

/// The normal distribution's share below z, by the logistic function.
double Below(double z) { return 1 / (1 + std::exp(-1.702 * z)); }

}  // namespace

void PeopleTracker::Reset(const TileGrid& grid) {
  grid_ = grid;
  people_.clear();
}

double PeopleTracker::Size(const FollowedPerson& person) const {
  return std::max(1.0, std::sqrt(static_cast<double>(person.width) * person.height));
}

double PeopleTracker::count() const {
  double sum = 0;
  for (const FollowedPerson& person : people_) {
    sum += person.alive;
  }
  return sum;
}

double PeopleTracker::MissRate(int misses) const {
  // A longer streak is told by fewer people, and goes by the shorter one where there are none.
  double rate = 0.02;
  for (int k = 0; k <= std::min(misses, kStreak - 1); ++k) {
    const auto at = static_cast<std::size_t>(k);
    rate = (missed_[at] + 25 * rate) / (found_[at] + missed_[at] + 25);
  }
  return rate;
}

PeopleTracker::News PeopleTracker::Observe(double seconds, const std::vector<bool>& looked,
                                           const Detections& people) {
  assert(looked.size() == static_cast<std::size_t>(grid_.cells()));
  News news;
  // Pairs of a person's forecast and a box within the gate, nearest first. Boxes from left to right,
  // so that each person is held against those of his own strip alone.
  by_x_.clear();
  for (std::size_t b = 0; b < people.size(); ++b) {
    if (const float x = (people[b].box.x1 + people[b].box.x2) / 2; std::isfinite(x)) {
      by_x_.push_back({x, static_cast<std::uint32_t>(b)});
    }
  }
  std::sort(by_x_.begin(), by_x_.end());
  pairs_.clear();
  for (std::size_t p = 0; p < people_.size(); ++p) {
    const FollowedPerson& person = people_[p];
    const auto ahead = static_cast<float>(std::max(0.0, seconds - person.seen));
    const float x = person.x + person.vx * ahead;
    const float y = person.y + person.vy * ahead;
    const double size = Size(person);
    const double reach = options_.gate * size *
                         std::min<double>(kMostSize, 1 + options_.spread_rate * double{ahead} +
                                                         (person.hits == 1 ? 0.5 : 0));
    const auto strip = static_cast<float>(1.001 * reach + 1);  // a little more: distance decides
    for (auto at = std::lower_bound(by_x_.begin(), by_x_.end(), std::pair{x - strip, 0U});
         at != by_x_.end() && at->first <= x + strip; ++at) {
      const std::uint32_t b = at->second;
      const Box& box = people[b].box;
      const float dx = at->first - x;
      const float dy = (box.y1 + box.y2) / 2 - y;
      const float distance = dx * dx + dy * dy;
      if (static_cast<double>(distance) <= reach * reach) {  // false for NaN
        pairs_.push_back(
            {distance / static_cast<float>(size * size), static_cast<std::uint32_t>(p), b});
      }
    }
  }
  std::sort(pairs_.begin(), pairs_.end(), [](const Pair& a, const Pair& b) {
    return std::tie(a.distance, a.person, a.box) < std::tie(b.distance, b.person, b.box);
  });
  person_of_.assign(people.size(), kNobody);
  taken_.assign(people_.size(), false);
  for (const Pair& pair : pairs_) {
    if (!taken_[pair.person] && person_of_[pair.box] == kNobody) {
      taken_[pair.person] = true;
      person_of_[pair.box] = pair.person;
    }
  }
  // Those found again.
  for (std::size_t b = 0; b < people.size(); ++b) {
    if (person_of_[b] == kNobody) {
      continue;
    }
    FollowedPerson& person = people_[person_of_[b]];
    const Box& box = people[b].box;
    const auto ahead = static_cast<float>(std::max(1e-3, seconds - person.seen));
    const float dx = (box.x1 + box.x2) / 2 - (person.x + person.vx * ahead);
    const float dy = (box.y1 + box.y2) / 2 - (person.y + person.vy * ahead);
    const auto alpha = static_cast<float>(person.hits < 3 ? 0.8 : options_.alpha);
    const auto beta = static_cast<float>(person.hits < 3 ? 0.4 : options_.beta);
    person.x += person.vx * ahead + alpha * dx;
    person.y += person.vy * ahead + alpha * dy;
    person.vx += beta * dx / ahead;
    person.vy += beta * dy / ahead;
    person.width += 0.5F * (box.width() - person.width);
    person.height += 0.5F * (box.height() - person.height);
    person.seen = seconds;
    person.judged = seconds;
    person.alive = 1;
    for (int k = 0; k <= std::min(person.misses, kStreak - 1); ++k) {
      const auto at = static_cast<std::size_t>(k);
      const bool overlooked = k < person.misses;
      found_[at] = kForget * found_[at] + (overlooked ? 0 : 1);
      missed_[at] = kForget * missed_[at] + (overlooked ? 1 : 0);
    }
    person.misses = 0;
    if (++person.hits == 2) {
      confirmed_ = kForget * confirmed_ + 1;
      news.births.push_back(person.born_in);
    }
  }
  // Those not found: doubted where somebody looked.
  std::size_t kept = 0;
  for (std::size_t p = 0; p < people_.size(); ++p) {
    FollowedPerson& person = people_[p];
    if (!taken_[p]) {
      const auto ahead = static_cast<float>(std::max(0.0, seconds - person.seen));
      const float x = person.x + person.vx * ahead;
      const float y = person.y + person.vy * ahead;
      const int cell = grid_.CellAt(x, y);
      const double since = std::max(0.0, seconds - person.judged);
      const double stays = std::exp(-options_.leave_rate * since);
      const bool outside = x < 0 || y < 0 || x >= static_cast<float>(grid_.frame.width) ||
                           y >= static_cast<float>(grid_.frame.height);
      person.alive *= outside ? stays * 0.5 : stays;
      if (looked[static_cast<std::size_t>(cell)]) {
        const double miss = MissRate(person.misses++);
        person.alive = person.alive * miss / (person.alive * miss + 1 - person.alive);
      }
      person.judged = seconds;
      if (!(person.alive >= options_.drop_below)) {
        if (person.hits > 1) {
          news.deaths.push_back(cell);
        } else {
          refuted_ = kForget * refuted_ + 1;
        }
        continue;
      }
    }
    people_[kept++] = person;
  }
  people_.resize(kept);
  for (std::size_t b = 0; b < people.size(); ++b) {
    const Box& box = people[b].box;
    if (person_of_[b] == kNobody && HasPlace(box)) {
      people_.push_back({.x = (box.x1 + box.x2) / 2,
                         .y = (box.y1 + box.y2) / 2,
                         .width = box.width(),
                         .height = box.height(),
                         .seen = seconds,
                         .judged = seconds,
                         .alive = confirm_rate(),
                         .born_in = grid_.CellOf(box)});
    }
  }
  return news;
}

void PeopleTracker::Forecast(double seconds, std::span<double> expected) const {
  assert(expected.size() == static_cast<std::size_t>(grid_.cells()));
  for (const FollowedPerson& person : people_) {
    const double ahead = std::max(0.0, seconds - person.seen);
    const double x = double{person.x} + double{person.vx} * ahead;
    const double y = double{person.y} + double{person.vy} * ahead;
    const double unsure = person.hits == 1 ? 2 : 1;
    const double sigma = Size(person) * (options_.spread + options_.spread_rate * unsure * ahead);
    const double alive =
        person.alive * std::exp(-options_.leave_rate * std::max(0.0, seconds - person.judged));
    // The columns and rows within three spreads, with the share of each.
    const auto share = [sigma](double at, int tile, int i, int count) {
      const double from = i == 0 ? 0 : Below((double(tile) * i - at) / sigma);
      const double to = i == count - 1 ? 1 : Below((double(tile) * (i + 1) - at) / sigma);
      return to - from;
    };
    const auto index = [](double at, int tile, int count) {
      return static_cast<int>(std::clamp(at / tile, 0.0, count - 1.0));
    };
    const int left = index(x - 3.5 * sigma, grid_.tile.width, grid_.columns);
    const int right = index(x + 3.5 * sigma, grid_.tile.width, grid_.columns);
    const int top = index(y - 3.5 * sigma, grid_.tile.height, grid_.rows);
    const int bottom = index(y + 3.5 * sigma, grid_.tile.height, grid_.rows);
    for (int r = top; r <= bottom; ++r) {
      const double down = top == bottom ? 1 : share(y, grid_.tile.height, r, grid_.rows);
      for (int c = left; c <= right; ++c) {
        const double across = left == right ? 1 : share(x, grid_.tile.width, c, grid_.columns);
        expected[static_cast<std::size_t>(grid_.index(c, r))] += alive * down * across;
      }
    }
  }
}

}  // namespace nearfar
