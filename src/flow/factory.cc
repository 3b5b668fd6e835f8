#include "flow/factory.h"

#include <algorithm>

#include "core/phrase.h"
#include "flow/comp.h"
#include "flow/index_filter.h"
#include "flow/learning_filter.h"
#include "flow/network_filter.h"

namespace nearfar {
namespace {

constexpr FlowFilterInfo kFilters[] = {
    {"flow", "learns each camera: people followed, empty cells probed where somebody may appear"},
    {"index", "the same without learning whether it is good enough: on from the first frame"},
    {"flow-net", "the paper's network, trained on the camera from frames looked at whole"},
    {"all", "no filter: every cell of every frame is looked at"},
    {"comp-1", "the paper's Comp-1: skips what was empty one frame before"},
    {"comp-2", "skips what was empty two frames before"},
    {"comp-3", "skips what was empty three frames before"},
    {"comp-4", "skips what was empty four frames before"},
    {"comp-5", "skips what was empty five frames before"},
};

Expected<void> Refuse(const std::string& what, double value, const std::string& range) {
  return Fail(ErrorCode::kInvalidInput,
              "flow filter: " + what + " is " + ShortNumber(value) + ", but must be " + range);
}

}  // namespace

std::span<const FlowFilterInfo> KnownFlowFilters() { return kFilters; }

Expected<void> Validate(const FlowFilterSpec& spec) {
  const bool known =
      std::any_of(std::begin(kFilters), std::end(kFilters),
                  [&](const FlowFilterInfo& info) { return info.name == spec.name; });
  if (!known) {
    std::string names;
    for (const FlowFilterInfo& info : kFilters) {
      names += (names.empty() ? "" : ", ") + std::string(info.name);
    }
    return Fail(ErrorCode::kNotFound,
                "no flow filter is called '" + spec.name + "'; there are " + names);
  }
  if (!(spec.target_recall > 0 && spec.target_recall < 1)) {
    return Refuse("target_recall", spec.target_recall, "above 0 and below 1");
  }
  if (!(spec.full_look_share >= 0 && spec.full_look_share <= 1)) {
    return Refuse("full_look_share", spec.full_look_share, "in [0, 1]");
  }
  if (spec.padding.width < 0 || spec.padding.height < 0) {
    return Refuse("padding", std::min(spec.padding.width, spec.padding.height), "at least 0 px");
  }
  if (spec.max_age < 1) {
    return Refuse("max_age", spec.max_age, "at least 1 frame");
  }
  return {};
}

Expected<std::unique_ptr<FlowFilter>> MakeFlowFilter(const FlowFilterSpec& spec) {
  if (const Expected<void> valid = Validate(spec); !valid) {
    return tl::unexpected(valid.error());
  }
  if (spec.name.starts_with("comp-")) {
    return std::make_unique<Comp>(
        CompOptions{.back = spec.name.back() - '0', .unknown_is_empty = spec.unknown_is_empty});
  }
  if (spec.name == "all") {
    return std::make_unique<KeepAll>();
  }
  const IndexOptions index{.target_recall = spec.target_recall, .max_age = spec.max_age};
  if (spec.name == "index") {
    return std::make_unique<IndexFilter>(index);
  }
  if (spec.name == "flow-net") {
    NetworkFilterOptions options{
        .full_look_share = spec.full_look_share, .max_age = spec.max_age, .seed = spec.seed};
    options.training.target_recall = spec.target_recall;
    options.training.seed = spec.seed;
    return std::make_unique<NetworkFilter>(options);
  }
  return std::make_unique<LearningFilter>(LearningOptions{.index = index,
                                                          .seed = spec.seed,
                                                          .full_look_share = spec.full_look_share,
                                                          .padding = spec.padding});
}

}  // namespace nearfar
