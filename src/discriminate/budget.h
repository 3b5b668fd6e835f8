#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/rng.h"
#include "discriminate/upload_policy.h"

namespace nearfar {

/// What may be uploaded, and how closely that is held.
struct BudgetOptions {
  std::optional<double> share;             ///< of the images, [0, 1]
  std::optional<double> bytes_per_second;  ///< of uploads; > 0. Both given: both hold
  double audit = 0;  ///< probability that an image which would stay near is looked at all the same,
                     ///< [0, 0.5]; paid from the budget, and never more than a quarter of it
  double explore = 0;    ///< width of the ramp from keeping to uploading, as a share of the images
                         ///< around the threshold, [0, 1]; 0: a step
  int window = 300;      ///< images that a score is ranked among; [10, 100000]
  double slack = 10;     ///< uploads that the share may run ahead or behind at any moment; >= 1
  double stiffness = 1;  ///< how hard it is brought back; > 0: the log-odds of the share asked for
                         ///< move by this at 62 % of the slack
  Duration burst = std::chrono::seconds(10);  ///< what the rate gives in this time may go at once
  /// The 0th to 100th percentile of the gain scores, rising, evenly spaced: what the first images
  /// are ranked among. Empty: they are uploaded by chance, with the share asked for.
  std::vector<double> gain_percentiles;
  std::uint64_t seed = 0;

  friend bool operator==(const BudgetOptions&, const BudgetOptions&) = default;
};

/// Errors: kInvalidInput with the field, its value and its range.
Expected<void> Validate(const BudgetOptions& options);

/// The audits that a budget is given where nobody says how many: 1 % of what stays near, and no
/// more than a twentieth of a share.
double DefaultAudit(const std::optional<double>& share);

/// A value among the last ones, by rank.
class RankWindow {
 public:
  /// REQUIRES: size > 0.
  explicit RankWindow(std::size_t size);

  /// Takes a value in; the oldest one leaves a full window. REQUIRES: not NaN.
  void Push(double value);
  std::size_t size() const { return sorted_.size(); }
  /// How many values are larger, and how many are equal.
  std::size_t Above(double value) const;
  std::size_t Equal(double value) const;
  /// The value that `above` others stand before, counted from the largest. REQUIRES: above <
  /// size().
  double FromTop(std::size_t above) const { return sorted_[sorted_.size() - 1 - above]; }

 private:
  std::size_t capacity_;
  std::size_t oldest_ = 0;
  std::vector<double> ring_;
  std::vector<double> sorted_;  ///< found by halving; a place is made by moving a few kB at most
};

/// Uploads the images with the largest gains among the recent ones, so many that a share of the
/// images, a rate of bytes, or both hold on a stream that drifts.
///
/// An image is ranked in the window of the last scores, itself included: with n of them, `above`
/// larger and `equal` alike, it is uploaded with probability (s n - above) / equal, cut to [0, 1].
/// Ties are so broken by chance, and on a stream without drift the share s holds from the first
/// image on. What was sent beyond or below the budget is a debt, which steers s: its log-odds move
/// by -stiffness x / (1 - x²), x = debt / slack. No upload is chosen that would take the debt past
/// the slack, and every image is while it lies below minus that. Over any k frames the share is so
/// within 2 slack / k of the asked one; the slack shrinks with the share, to a quarter of the
/// uploads of a window: no window holds more than 1.5 times its share.
///
/// The rate of bytes is held likewise: its share of the images is what the rate buys at the mean
/// size and interval of the images, its slack half of what may go at once, or one image where that
/// is more. A debt of bytes is forgiven beyond what ten bursts pay; time that stands still or runs
/// backwards pays nothing. What uploads have really cost replaces the estimates.
///
/// Audits are left out of a share first: they go whatever the debt of images, so that every image
/// has a chance, but not while a debt of bytes is beyond its slack.
///
/// A score that is not a number ranks lowest, infinite ones highest or lowest. An upload that was
/// withdrawn pays a debt back but builds up no credit beyond half the slack: after a rest of the
/// link nothing is made up for in a burst.
class BudgetPolicy final : public UploadPolicy {
 public:
  /// REQUIRES: Validate(options).
  explicit BudgetPolicy(BudgetOptions options);

  std::string name() const override { return "budget"; }
  std::string version() const override { return "1"; }
  bool ranks() const override { return true; }
  UploadChoice Choose(const Gain& gain, const UploadCost& cost, TimePoint now) override;
  void Add(const UploadCost& estimated, TimePoint now) override;
  void Withdraw(const UploadCost& estimated, TimePoint now) override;
  void Observe(const UploadCost& estimated, const UploadCost& actual, TimePoint now) override;

  const BudgetOptions& options() const { return options_; }
  /// Uploads sent beyond the share asked for; below 0: still owed to it.
  double share_debt() const { return share_debt_; }
  /// Bytes sent beyond the rate asked for.
  double byte_debt() const { return byte_debt_; }

 private:
  /// One budget as it stands: the share of the images that it allows, and its debt in uploads.
  struct Account {
    double share = 1;
    double debt = 0;
    double slack = 1;
  };

  Account ShareAccount() const;
  Account ByteAccount() const;
  /// The share to be asked for, so that the debt comes back to 0.
  double Steered(const Account& account, double audit) const;
  /// The chance of a score at the share asked for.
  double ChanceOf(double score, double share) const;
  void PassTime(TimePoint now);
  void Charge(const UploadCost& cost);
  double burst_s() const;
  double half_burst() const;
  double longest_debt() const;
  /// Bytes that the rate may run ahead or behind: half a burst, or one upload where that is more.
  double ByteSlack() const;
  void NoteSize(double bytes);

  BudgetOptions options_;
  Rng rng_;
  RankWindow scores_;
  double share_debt_ = 0;  ///< in uploads
  double byte_debt_ = 0;
  double mean_bytes_ = 0;  ///< of an upload of any image, chosen or not
  double mean_interval_s_ = 0;
  double sizes_seen_ = 0;      ///< up to the window
  double intervals_seen_ = 0;  ///< up to the window
  std::optional<TimePoint> last_;
  bool chosen_before_ = false;
  double since_choice_s_ = 0;
};

}  // namespace nearfar
