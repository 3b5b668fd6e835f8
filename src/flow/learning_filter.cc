#include "flow/learning_filter.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_fields.h"
#include "core/json_writer.h"
#include "core/phrase.h"
#include "core/rng.h"
#include "flow/comp.h"
#include "flow/count_grid.h"

namespace nearfar {
namespace {

constexpr std::size_t kMostInFlight = 64;
constexpr double kNinety = 1.645;     // of the normal distribution, both ends left out
constexpr double kLeastRatio = 0.05;  // of people missed and expected to be
constexpr double kMostRatio = 5;
constexpr int kLooksToConfirm = 3;     // somebody found in none of so many is taken for nobody
constexpr int kResultsToConfirm = 15;  // and so is one whose cell was not looked at in time
constexpr double kForgetWhenOff = 0.25;  // of what was counted, when the filter turned out bad

using Json = nlohmann::json;

/// A state as it is written.
struct State {
  std::string filter;
  std::string version;
  bool pooled = false;
  Size frame;
  Size tile;
  bool on = false;
  double edge = 0;
  double inside = 0;
  double threshold = 0;
  double people = 0;
  double missed = 0;
  double expected = 0;
  double squares = 0;
  PooledRates prior;  // what this camera started from, as the next two
  double prior_recall = 1;
  double prior_ratio = 1;
  std::vector<double> births;
  std::vector<double> exposure;
};

std::string Write(const State& state) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("filter", state.filter);
  json.Field("version", state.version);
  json.Field("pooled", state.pooled);
  if (!state.pooled) {
    json.Field("frame", state.frame);
    json.Field("tile", state.tile);
    json.Field("on", state.on);
  }
  json.Field("edge", state.edge);
  json.Field("inside", state.inside);
  json.Field("threshold", state.threshold);
  json.Field("people", state.people);
  json.Field("missed", state.missed);
  json.Field("expected", state.expected);
  if (!state.pooled) {
    json.Field("squares", state.squares);
    json.Field("prior_edge", state.prior.edge);
    json.Field("prior_inside", state.prior.inside);
    json.Field("prior_recall", state.prior_recall);
    json.Field("prior_ratio", state.prior_ratio);
    json.Field("births", state.births);
    json.Field("exposure", state.exposure);
  }
  json.EndObject();
  return text;
}

/// True for finite numbers that are no less than 0.
bool Counts(std::span<const double> numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [](double n) { return std::isfinite(n) && n >= 0; });
}

Expected<State> Read(std::string_view text) {
  const auto fail = [](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput,
                "the state of flow filter flow" + what + "; remove it to learn anew");
  };
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    return fail(" is no JSON");
  }
  State state;
  JsonFields<Json> fields(json);
  fields.Require("filter", state.filter).Require("version", state.version);
  if (fields.ok() && (state.filter != "flow" || state.version != "1")) {
    return fail(" is one of filter " + state.filter + " version " + state.version +
                ", not of flow version 1");
  }
  fields.Require("pooled", state.pooled)
      .Require("edge", state.edge)
      .Require("inside", state.inside)
      .Require("threshold", state.threshold)
      .Require("people", state.people)
      .Require("missed", state.missed)
      .Require("expected", state.expected);
  if (fields.ok() && !state.pooled) {
    fields.Require("frame", state.frame)
        .Require("tile", state.tile)
        .Require("on", state.on)
        .Require("squares", state.squares)
        .Require("prior_edge", state.prior.edge)
        .Require("prior_inside", state.prior.inside)
        .Require("prior_recall", state.prior_recall)
        .Require("prior_ratio", state.prior_ratio)
        .Require("births", state.births)
        .Require("exposure", state.exposure);
  }
  if (!fields.ok()) {
    return fail(fields.error());
  }
  const double numbers[] = {state.edge,         state.inside,     state.threshold,
                            state.people,       state.missed,     state.expected,
                            state.squares,      state.prior.edge, state.prior.inside,
                            state.prior_recall, state.prior_ratio};
  if (!Counts(numbers) || !Counts(state.births) || !Counts(state.exposure) ||
      !(state.threshold > 0) || state.missed > state.people || state.prior_recall > 1) {
    return fail(" has a number out of range");
  }
  return state;
}

std::string Text(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

}  // namespace

LearningFilter::LearningFilter(const LearningOptions& options)
    : options_(options), index_(options.index), prior_recall_(options.index.target_recall) {}

void LearningFilter::SetGrid(const TileGrid& grid) {
  if (grid == grid_) {
    return;
  }
  grid_ = grid;
  index_.SetGrid(grid);
  planned_.clear();
  on_ = false;
  whole_frames_ = 0;
  people_ = missed_ = expected_ = squares_ = 0;
  doubted_.clear();
}

bool LearningFilter::Drawn(FrameId frame) const {
  return Rng(MixBits(options_.seed) ^ ToNumber(frame)).Uniform() < options_.full_look_share;
}

LookPlan LearningFilter::Plan(FrameId frame, TimePoint captured) {
  LookPlan plan = index_.Plan(frame, captured);
  Planned planned{frame, Kind::kFiltered, {}, index_.last_expected()};
  if (!on_) {
    planned.kind = Kind::kOff;
    planned.would = std::exchange(plan.cells, std::vector<Look>(plan.cells.size(), Look::kKeep));
    plan.reason = "learning: " + std::to_string(whole_frames_) + " frames, " +
                  ShortNumber(people_) + " people, recall " + ShortNumber(estimate().recall);
  } else if (Drawn(frame)) {
    planned.kind = Kind::kWhole;
    planned.would = plan.cells;
    plan.full_look = true;
    plan.would = plan.cells;
    plan.reason = "drawn to be looked at whole";
    std::replace(plan.cells.begin(), plan.cells.end(), Look::kSkip, Look::kProbe);
  }
  planned_.push_back(std::move(planned));
  if (planned_.size() > kMostInFlight) {
    planned_.pop_front();
  }
  return plan;
}

void LearningFilter::Observe(const LookResult& result) {
  if (!Fits(result, grid_)) {
    return;
  }
  while (!planned_.empty() && ToNumber(planned_.front().frame) < ToNumber(result.frame)) {
    planned_.pop_front();
  }
  if (planned_.empty() || planned_.front().frame != result.frame) {
    return;
  }
  const Planned planned = std::move(planned_.front());
  planned_.pop_front();
  Confirm(result);
  if (planned.kind != Kind::kFiltered) {
    Count(planned, result);
  }
  if (planned.kind == Kind::kOff && !on_) {
    // In the shadow, the filter is shown what it would have let through.
    LookResult seen{result.frame, result.captured, result.looked, {}, false};
    seen.looked.resize(planned.would.size());
    for (std::size_t c = 0; c < seen.looked.size(); ++c) {
      seen.looked[c] = seen.looked[c] && planned.would[c] != Look::kSkip;
    }
    for (const Detection& person : result.people) {
      if (HasPlace(person.box) && IsSeen(grid_, options_.padding, seen.looked, person.box)) {
        seen.people.push_back(person);
      }
    }
    index_.Learn(result);
    index_.Observe(seen, false);
    index_.SetCrowds(result);
  } else {
    index_.Observe(result);
  }
  Decide();
}

void LearningFilter::Confirm(const LookResult& result) {
  const auto is_there = [&](const Box& box) {
    const float reach = 0.5F * std::max(box.width(), box.height());
    return std::any_of(
        result.people.begin(), result.people.end(), [&](const Detection& person) {
          const float dx = (person.box.x1 + person.box.x2 - box.x1 - box.x2) / 2;
          const float dy = (person.box.y1 + person.box.y2 - box.y1 - box.y2) / 2;
          return dx * dx + dy * dy <= reach * reach;  // false for what is no number
        });
  };
  for (Doubted& frame : doubted_) {
    ++frame.results;
    std::erase_if(frame.people, [&](Doubted::Person& person) {
      if (is_there(person.box)) {
        people_ += 1;
        missed_ += 1;
        squares_ += 2 * frame.confirmed + 1;  // so many missed in one frame count by their square
        ++frame.confirmed;
        return true;
      }
      person.looks += result.looked[static_cast<std::size_t>(grid_.CellOf(person.box))] ? 1 : 0;
      return person.looks >= kLooksToConfirm || frame.results >= kResultsToConfirm;
    });
  }
  std::erase_if(doubted_, [](const Doubted& frame) { return frame.people.empty(); });
}

void LearningFilter::Count(const Planned& planned, const LookResult& result) {
  if (std::find(result.looked.begin(), result.looked.end(), true) == result.looked.end()) {
    return;  // nothing was answered
  }
  std::vector<bool> would = result.looked;
  for (std::size_t c = 0; c < would.size(); ++c) {
    would[c] = would[c] && planned.would[c] != Look::kSkip;
  }
  double people = 0;
  Doubted doubted;
  for (const Detection& person : result.people) {
    // Somebody in a cell without an answer is not counted: he may be there or not.
    if (HasPlace(person.box) && result.looked[static_cast<std::size_t>(grid_.CellOf(person.box))]) {
      if (IsSeen(grid_, options_.padding, would, person.box)) {
        people += 1;
      } else {
        doubted.people.push_back({person.box});
      }
    }
  }
  ++whole_frames_;
  const double keep =
      std::exp(planned.kind == Kind::kOff
                   ? -1 / options_.off_memory
                   : -1 / (options_.full_look_share * options_.memory));
  people_ = keep * people_ + people;
  missed_ *= keep;
  squares_ *= keep;
  expected_ = keep * expected_ + planned.expected_miss;
  if (!doubted.people.empty()) {
    doubted_.push_back(std::move(doubted));
  }
}

RecallEstimate LearningFilter::estimate() const {
  const double prior = options_.prior_people;
  const double all = people_ + prior;
  const double missed = missed_ + prior * (1 - prior_recall_);
  RecallEstimate estimate{.recall = 1 - missed / all, .people = people_};
  // Several people may be missed together: squares, not counts, say how far chance goes.
  const double spread = std::sqrt(squares_ + prior * (1 - prior_recall_)) / all;
  estimate.low = std::max(0.0, estimate.recall - kNinety * spread);
  estimate.high = std::min(1.0, estimate.recall + kNinety * spread);
  return estimate;
}

void LearningFilter::Decide() {
  const double prior = options_.prior_misses;
  index_.SetCalibration(
      std::clamp((missed_ + prior * prior_ratio_) / (expected_ + prior), kLeastRatio, kMostRatio));
  const RecallEstimate now = estimate();
  if (!on_) {
    if (whole_frames_ >= options_.first_frames && (pooled_ || people_ >= options_.first_people) &&
        1 - now.recall <= (1 + options_.slack) * (1 - options_.index.target_recall)) {
      on_ = true;
      index_.AdoptLearned();
    }
  } else if (now.high < options_.index.target_recall) {
    on_ = false;
    whole_frames_ = 0;
    index_.BeginLearning();
    for (double* const sum : {&people_, &missed_, &squares_, &expected_}) {
      *sum *= kForgetWhenOff;
    }
  }
}

std::string LearningFilter::SaveState() const {
  const PooledRates camera = index_.rates().camera();
  return Write({.filter = name(),
                .version = version(),
                .frame = grid_.frame,
                .tile = grid_.tile,
                .on = on_,
                .edge = camera.edge,
                .inside = camera.inside,
                .threshold = index_.threshold(),
                .people = people_,
                .missed = missed_,
                .expected = expected_,
                .squares = squares_,
                .prior = index_.rates().pooled(),
                .prior_recall = prior_recall_,
                .prior_ratio = prior_ratio_,
                .births = index_.rates().births(),
                .exposure = index_.rates().exposure()});
}

Expected<void> LearningFilter::LoadState(std::string_view text) {
  Expected<State> state = Read(text);
  if (!state) {
    return tl::unexpected(state.error());
  }
  const auto cells = static_cast<std::size_t>(grid_.cells());
  if (!state->pooled && (state->frame != grid_.frame || state->tile != grid_.tile ||
                         state->births.size() != cells || state->exposure.size() != cells)) {
    return Fail(ErrorCode::kInvalidInput,
                "the state of flow filter flow is of a " + Text(state->frame) + " frame in " +
                    Text(state->tile) + " tiles, but this one is " + Text(grid_.frame) + " in " +
                    Text(grid_.tile) + "; remove it to learn anew");
  }
  index_.rates().SetPooled(state->pooled ? PooledRates{state->edge, state->inside} : state->prior);
  index_.SetThreshold(state->threshold);
  pooled_ = true;
  if (state->pooled) {
    // Other cameras tell what was missed of what was expected to be; that the target is reached
    // here, by probing as much as it takes, is believed of every camera.
    prior_recall_ = options_.index.target_recall;
    prior_ratio_ =
        (state->missed + options_.prior_misses) / (state->expected + options_.prior_misses);
  } else {
    prior_recall_ = state->prior_recall;
    prior_ratio_ = state->prior_ratio;
    index_.rates().SetCounts(std::move(state->births), std::move(state->exposure));
    on_ = state->on;
    people_ = state->people;
    missed_ = state->missed;
    expected_ = state->expected;
    squares_ = state->squares;
    Decide();
  }
  return {};
}

Expected<std::string> PoolFlowStates(std::span<const std::string> states) {
  if (states.empty()) {
    return Fail(ErrorCode::kInvalidInput, "there is no state of a flow filter to pool");
  }
  State pool{.filter = "flow", .version = "1", .pooled = true};
  double threshold = 0;
  for (const std::string& text : states) {
    const Expected<State> state = Read(text);
    if (!state) {
      return tl::unexpected(state.error());
    }
    pool.edge += state->edge / static_cast<double>(states.size());
    pool.inside += state->inside / static_cast<double>(states.size());
    threshold += std::log(state->threshold) / static_cast<double>(states.size());
    pool.people += state->people;
    pool.missed += state->missed;
    pool.expected += state->expected;
  }
  pool.threshold = std::exp(threshold);
  return Write(pool);
}

}  // namespace nearfar
