#include "discriminate/budget.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "core/phrase.h"

namespace nearfar {
namespace {

constexpr double kMost = std::numeric_limits<double>::max();
constexpr double kAuditsOfBudget = 0.25;
// No so many frames in a row hold more than so many times their share of uploads.
constexpr double kPeakFrames = 300;
constexpr double kPeak = 1.5;
constexpr double kLongestPay = 10;  // bursts: no debt takes longer to be paid back

double Finite(double score) {
  return std::isnan(score) ? -kMost : std::clamp(score, -kMost, kMost);
}

double MovingMean(double mean, double value, double count) { return mean + (value - mean) / count; }

std::string Percent(double share) { return ShortNumber(100 * share) + " %"; }

}  // namespace

Expected<void> Validate(const BudgetOptions& options) {
  const auto wrong = [](const char* field, double value, const char* range) {
    return Fail(ErrorCode::kInvalidInput,
                std::string(field) + ": " + ShortNumber(value) + " is not in its range, " + range);
  };
  if (!options.share && !options.bytes_per_second) {
    return Fail(ErrorCode::kInvalidInput, "share, bytes_per_second: a budget needs one of them");
  }
  if (options.share && !(*options.share >= 0 && *options.share <= 1)) {
    return wrong("share", *options.share, "[0, 1]");
  }
  if (options.bytes_per_second &&
      !(*options.bytes_per_second > 0 && *options.bytes_per_second <= 1e15)) {
    return wrong("bytes_per_second", *options.bytes_per_second, "(0, 1e15]");
  }
  if (!(options.audit >= 0 && options.audit <= 0.5)) {
    return wrong("audit", options.audit, "[0, 0.5]");
  }
  if (!(options.explore >= 0 && options.explore <= 1)) {
    return wrong("explore", options.explore, "[0, 1]");
  }
  if (options.window < 10 || options.window > 100000) {
    return wrong("window", options.window, "[10, 100000]");
  }
  if (!(options.slack >= 1 && options.slack <= 1e9)) {
    return wrong("slack", options.slack, "[1, 1e9]");
  }
  if (!(options.stiffness > 0 && options.stiffness <= 1e9)) {
    return wrong("stiffness", options.stiffness, "(0, 1e9]");
  }
  if (options.burst <= Duration::zero()) {
    return Fail(ErrorCode::kInvalidInput, "burst: must be longer than 0");
  }
  const std::vector<double>& percentiles = options.gain_percentiles;
  if (percentiles.size() == 1 ||
      !std::all_of(percentiles.begin(), percentiles.end(),
                   [](double value) { return std::isfinite(value); }) ||
      !std::is_sorted(percentiles.begin(), percentiles.end())) {
    return Fail(ErrorCode::kInvalidInput,
                "gain_percentiles: must be finite numbers that do not fall, two or more");
  }
  return {};
}

double DefaultAudit(const std::optional<double>& share) {
  return std::min(0.01, share.value_or(1) / 20);
}

RankWindow::RankWindow(std::size_t size) : capacity_(size) {
  assert(size > 0);
  ring_.reserve(size);
  sorted_.reserve(size);
}

void RankWindow::Push(double value) {
  if (ring_.size() < capacity_) {
    ring_.push_back(value);
  } else {
    sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), ring_[oldest_]));
    ring_[oldest_] = value;
    oldest_ = (oldest_ + 1) % capacity_;
  }
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), value), value);
}

std::size_t RankWindow::Above(double value) const {
  return static_cast<std::size_t>(sorted_.end() -
                                  std::upper_bound(sorted_.begin(), sorted_.end(), value));
}

std::size_t RankWindow::Equal(double value) const {
  const auto [first, last] = std::equal_range(sorted_.begin(), sorted_.end(), value);
  return static_cast<std::size_t>(last - first);
}

BudgetPolicy::BudgetPolicy(BudgetOptions options)
    : options_(std::move(options)),
      rng_(MixBits(options_.seed ^ HashText("budget"))),
      scores_(static_cast<std::size_t>(options_.window)) {
  assert(Validate(options_));
  if (options_.gain_percentiles.empty()) {
    return;
  }
  // The window starts full of what calibration saw, in an order of chance: real scores take over.
  std::vector<double> before(static_cast<std::size_t>(options_.window));
  const auto steps = static_cast<double>(options_.gain_percentiles.size() - 1);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(before.size()) * steps;
    const auto low = static_cast<std::size_t>(at);
    const double rest = at - static_cast<double>(low);
    before[i] =
        (1 - rest) * options_.gain_percentiles[low] + rest * options_.gain_percentiles[low + 1];
  }
  Rng order(MixBits(options_.seed ^ HashText("first scores")));
  order.Shuffle(before);
  for (const double score : before) {
    scores_.Push(Finite(score));
  }
}

UploadChoice BudgetPolicy::Choose(const Gain& gain, const UploadCost& cost, TimePoint now) {
  PassTime(now);
  if (chosen_before_) {
    // A long pause gives no more than one burst, and tells no more of the interval.
    intervals_seen_ = std::min(intervals_seen_ + 1, static_cast<double>(options_.window));
    mean_interval_s_ =
        MovingMean(mean_interval_s_, std::min(since_choice_s_, burst_s()), intervals_seen_);
  }
  chosen_before_ = true;
  since_choice_s_ = 0;
  const double score = Finite(gain.score);
  const auto bytes = static_cast<double>(std::max<std::int64_t>(cost.bytes, 0));
  NoteSize(bytes);
  scores_.Push(score);

  // A place is left for audits, which go whatever the debt.
  Account by_share = ShareAccount();
  by_share.slack = options_.audit > 0 ? std::max(by_share.slack - 1, 1.0) : by_share.slack;
  const Account by_bytes = ByteAccount();
  double audit =
      std::min(options_.audit, kAuditsOfBudget * std::min(by_share.share, by_bytes.share));
  const double share = std::min(Steered(by_share, audit), Steered(by_bytes, audit));
  double chance = ChanceOf(score, share);
  // What would run too far ahead is kept; an image larger than all that may go at once needs a
  // debt that is paid.
  const bool share_spent = by_share.debt + 1 - by_share.share > by_share.slack + 1e-9;
  const bool bytes_spent =
      options_.bytes_per_second && byte_debt_ > 0 && byte_debt_ + bytes > half_burst();
  if (share_spent || bytes_spent) {
    chance = 0;
  }
  if (options_.bytes_per_second && byte_debt_ > ByteSlack()) {
    audit = 0;
  }

  UploadChoice choice;
  choice.audit_probability = audit;
  choice.probability = chance + (1 - chance) * audit;
  const double draw = rng_.Uniform();
  choice.upload = draw < choice.probability;
  choice.audit = choice.upload && !(draw < chance);
  const auto n = static_cast<double>(scores_.size());
  choice.threshold =
      scores_.FromTop(std::min(static_cast<std::size_t>(share * n), scores_.size() - 1));

  if (choice.audit) {
    choice.reason = "audit, by a chance of " + ShortNumber(audit);
  } else if (choice.upload && !gain.difficult) {
    choice.reason = "the budget has room for the best " + Percent(share) + " of the last images";
  } else if (!choice.upload && gain.difficult) {
    choice.reason = share_spent || bytes_spent ? "kept: the budget is spent"
                                               : "kept: not among the best " + Percent(share) +
                                                     " of the last images, the budget";
  }

  share_debt_ -= options_.share.value_or(0);
  if (choice.upload) {
    Charge(cost);
  }
  share_debt_ = std::max(share_debt_, -by_share.slack);
  return choice;
}

void BudgetPolicy::Add(const UploadCost& estimated, TimePoint now) {
  PassTime(now);
  Charge(estimated);
  share_debt_ -= options_.share.value_or(0);
}

void BudgetPolicy::Withdraw(const UploadCost& estimated, TimePoint now) {
  PassTime(now);
  const double least_uploads = -ShareAccount().slack / 2;
  share_debt_ =
      std::max(share_debt_ - (options_.share ? 1 : 0), std::min(share_debt_, least_uploads));
  const double least_bytes = -ByteSlack() / 2;
  const auto bytes = static_cast<double>(std::max<std::int64_t>(estimated.bytes, 0));
  byte_debt_ = std::max(byte_debt_ - bytes, std::min(byte_debt_, least_bytes));
}

void BudgetPolicy::Observe(const UploadCost& estimated, const UploadCost& actual, TimePoint now) {
  PassTime(now);
  const auto expected = static_cast<double>(std::max<std::int64_t>(estimated.bytes, 0));
  const auto came_to = static_cast<double>(std::max<std::int64_t>(actual.bytes, 0));
  if (expected == 0) {
    NoteSize(came_to);
  }
  if (options_.bytes_per_second) {
    byte_debt_ = std::clamp(byte_debt_ + came_to - expected, -ByteSlack(), longest_debt());
  }
}

BudgetPolicy::Account BudgetPolicy::ShareAccount() const {
  if (!options_.share) {
    return {.share = 1, .debt = -1, .slack = 1};
  }
  const double of_peak = (kPeak - 1) / 2 * kPeakFrames * *options_.share;
  return {*options_.share, share_debt_, std::clamp(of_peak, 1.0, options_.slack)};
}

BudgetPolicy::Account BudgetPolicy::ByteAccount() const {
  if (!options_.bytes_per_second || mean_bytes_ <= 0) {
    return {.share = 1, .debt = -1, .slack = 1};
  }
  const double affordable =
      intervals_seen_ < 1 ? 1.0 : *options_.bytes_per_second * mean_interval_s_ / mean_bytes_;
  return {std::clamp(affordable, 0.0, 1.0), byte_debt_ / mean_bytes_, ByteSlack() / mean_bytes_};
}

double BudgetPolicy::Steered(const Account& account, double audit) const {
  const double asked = (account.share - audit) / (1 - audit);
  if (asked <= 0 || asked >= 1) {
    return asked <= 0 ? 0 : 1;
  }
  if (account.debt - account.share <= -account.slack) {
    return 1;
  }
  const double x = account.debt / account.slack;
  if (x >= 1) {
    return 0;
  }
  const double log_odds = std::log(asked / (1 - asked)) - options_.stiffness * x / (1 - x * x);
  return 1 / (1 + std::exp(-log_odds));
}

double BudgetPolicy::ChanceOf(double score, double share) const {
  const auto n = static_cast<double>(scores_.size());
  const double top = static_cast<double>(scores_.Above(score)) / n;
  const double wide = static_cast<double>(scores_.Equal(score)) / n;
  // The ramp falls from 1 to 0 around the share; this is its mean over the ranks of equal scores.
  const double half = std::min({options_.explore / 2, share, 1 - share});
  const auto area_up_to = [&](double rank) {
    if (rank <= share - half) {
      return rank;
    }
    const double in_ramp = std::min(rank, share + half) - (share - half);
    return share - half + (half > 0 ? in_ramp - in_ramp * in_ramp / (4 * half) : 0);
  };
  return std::clamp((area_up_to(top + wide) - area_up_to(top)) / wide, 0.0, 1.0);
}

void BudgetPolicy::PassTime(TimePoint now) {
  const TimePoint before = last_.value_or(now);
  last_ = now;
  if (now <= before) {
    return;  // time that runs backwards gives nothing, and runs on from there
  }
  const auto passed_ns = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                         static_cast<std::uint64_t>(before.time_since_epoch().count());
  const double passed_s = static_cast<double>(passed_ns) * 1e-9;
  since_choice_s_ += passed_s;
  if (options_.bytes_per_second) {
    byte_debt_ = std::max(byte_debt_ - *options_.bytes_per_second * passed_s, -ByteSlack());
  }
}

void BudgetPolicy::Charge(const UploadCost& cost) {
  if (options_.share) {
    share_debt_ += 1;
  }
  if (options_.bytes_per_second) {
    byte_debt_ = std::min(byte_debt_ + static_cast<double>(std::max<std::int64_t>(cost.bytes, 0)),
                          longest_debt());
  }
}

void BudgetPolicy::NoteSize(double bytes) {
  if (bytes <= 0) {
    return;  // not known
  }
  if (options_.bytes_per_second) {
    bytes = std::min(bytes, longest_debt());
  }
  sizes_seen_ = std::min(sizes_seen_ + 1, static_cast<double>(options_.window));
  mean_bytes_ = MovingMean(mean_bytes_, bytes, sizes_seen_);
}

double BudgetPolicy::ByteSlack() const { return std::max(half_burst(), mean_bytes_); }

double BudgetPolicy::longest_debt() const { return 2 * kLongestPay * half_burst(); }

double BudgetPolicy::burst_s() const {
  return std::chrono::duration<double>(options_.burst).count();
}

double BudgetPolicy::half_burst() const {
  return options_.bytes_per_second.value_or(0) / 2 * burst_s();
}

}  // namespace nearfar
