#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "flow/flow_filter.h"
#include "flow/index_filter.h"

namespace nearfar {

struct LearningOptions {
  IndexOptions index;
  std::uint64_t seed = 1;         ///< of the draw of full-look frames
  double full_look_share = 0.02;  ///< of frames, drawn to be looked at whole; in [0, 1]
  int first_frames = 20;          ///< looked at whole before it may switch on; >= 1
  double first_people =
      300;  ///< people seen in them, where nothing is known of other cameras; >= 0
  double prior_people =
      300;  ///< what other cameras say of the recall weighs like so many people; > 0
  double prior_misses = 10;  ///< the ratio of misses to expected ones weighs like so many; > 0
  double slack = 0.2;  ///< it switches on when the estimate is below the target by no more than this
                       ///< share of what the target lets be missed; >= 0
  /// Of the tiles, in px: who stands whole inside a padded tile that is looked at counts as looked
  /// at. None: only those whose middle lies in a cell looked at.
  Size padding;
  double memory = 1500;  ///< frames after which what was counted weighs 1/e; > 0
  double off_memory = 500;  ///< the same while it is off, and looks at every frame whole; > 0

  friend bool operator==(const LearningOptions&, const LearningOptions&) = default;
};

/// Share of the people who stand in cells looked at, estimated, with its 90 % interval.
struct RecallEstimate {
  double recall = 1;
  double low = 0;
  double high = 1;
  double people = 0;  ///< that were counted for it, of late

  friend bool operator==(const RecallEstimate&, const RecallEstimate&) = default;
};

/// The flow filter that learns each camera. It wraps the index filter.
///
/// Off, every cell of every frame is looked at, and the index filter runs in the shadow: it is
/// shown no more than it would have let through, so that its recall is that of a filter at work.
/// On, it decides, but for frames drawn beforehand by chance (from the seed and the frame's number
/// alone), which are looked at whole. Recall is estimated from these frames only, never from what
/// the filter let through: people in cells that it would have looked at, of all. Who would have been
/// missed counts once a later look finds him again: boxes of nothing would else keep it off. The
/// filter looks again wherever somebody was found, so that these looks always come. The estimate is a
/// posterior mean: other cameras' recall, or the target, is believed like `prior_people` people.
/// The ratio of people missed and expected to be missed there calibrates the index filter. It
/// switches on when enough was seen and the estimate reaches the target, less `slack`; off when the
/// interval's upper end is below the target.
class LearningFilter final : public FlowFilter {
 public:
  explicit LearningFilter(const LearningOptions& options = {});

  std::string name() const override { return "flow"; }
  std::string version() const override { return "1"; }
  void SetGrid(const TileGrid& grid) override;
  LookPlan Plan(FrameId frame, TimePoint captured) override;
  void Observe(const LookResult& result) override;
  const std::vector<float>& crowds() const override { return index_.crowds(); }

  /// Takes a state of the same grid, or one that PoolFlowStates made, which has none: that leaves
  /// it off, but it needs to see less before it switches on.
  std::string SaveState() const override;
  Expected<void> LoadState(std::string_view state) override;

  bool on() const { return on_; }
  RecallEstimate estimate() const;
  const IndexFilter& index() const { return index_; }

 private:
  enum class Kind { kOff, kWhole, kFiltered };
  struct Planned {
    FrameId frame{};
    Kind kind = Kind::kOff;
    std::vector<Look> would;
    double expected_miss = 0;  ///< people expected in the cells that would be skipped
  };
  /// People of a frame looked at whole who would have been missed, until a later look finds them
  /// again or does not.
  struct Doubted {
    struct Person {
      Box box;
      int looks = 0;  ///< since, at the cell
    };
    std::vector<Person> people;
    int results = 0;    ///< since
    int confirmed = 0;  ///< of them
  };
  bool Drawn(FrameId frame) const;
  void Confirm(const LookResult& result);
  void Count(const Planned& planned, const LookResult& result);
  void Decide();

  LearningOptions options_;
  TileGrid grid_;
  IndexFilter index_;
  std::deque<Planned> planned_;
  std::vector<Doubted> doubted_;
  bool on_ = false;
  bool pooled_ = false;
  double prior_recall_;
  double prior_ratio_ = 1;  // of people missed and expected to be
  int whole_frames_ = 0;    // looked at whole since it is off
  // Counted in frames looked at whole, of late:
  double people_ = 0;
  double missed_ = 0;
  double expected_ = 0;  // to be missed
  double squares_ = 0;   // of the frames' misses, for the interval
};

/// What several cameras' states have in common, as a state that a camera of any grid may start
/// from. Errors: kInvalidInput when a text is no state of LearningFilter, or when there is none.
Expected<std::string> PoolFlowStates(std::span<const std::string> states);

}  // namespace nearfar
