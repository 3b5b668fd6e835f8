#pragma once

#include <cstdint>
#include <type_traits>

namespace nearfar {

/// Position of a frame in its stream, counted from 0. One id, one result.
enum class FrameId : std::uint64_t {};
/// Position of a region in its frame's plan, counted from 0. A whole photo is region 0.
enum class RegionId : std::uint32_t {};
/// One piece of work handed to a node; unique within a planner. Replies carry it back.
enum class RequestId : std::uint64_t {};
/// One link (and the node behind it), by its place in the configuration. kNear is the device itself.
enum class LinkId : std::uint32_t {};

inline constexpr LinkId kNear{0};
inline constexpr RegionId kWholeFrame{0};

/// The number inside an id, for printing and indexing.
template <typename Id>
constexpr auto ToNumber(Id id) {
  return static_cast<std::underlying_type_t<Id>>(id);
}

}  // namespace nearfar
