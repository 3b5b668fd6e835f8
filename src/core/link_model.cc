#include "core/link_model.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

namespace nearfar {
namespace {

constexpr std::int64_t kPayload = 1448;  // of a full TCP packet with time stamps
constexpr std::int64_t kHeaders = 66;    // Ethernet 14, IPv4 20, TCP 32
constexpr std::int64_t kMostPackets = std::int64_t{1} << 20;  // looked at one by one: 1.5 GB
constexpr int kFollowers = 3;  // packets that must follow a lost one for a fast retransmit
constexpr Duration kLeastTimeout = std::chrono::milliseconds(200);
constexpr Duration kLongestTimeout = std::chrono::minutes(1);
constexpr Duration kLongestDelay = std::chrono::minutes(1);
constexpr double kMathis = 1.22;

std::int64_t PacketsOf(std::int64_t bytes) {
  return std::max<std::int64_t>(1, (bytes + kPayload - 1) / kPayload);
}

Duration TimeFor(double bytes, double bytes_per_second) {
  return bytes_per_second > 0 ? FromMilliseconds(1e3 * bytes / bytes_per_second) : Duration::zero();
}

}  // namespace

Expected<void> Validate(const LinkModel& model) {
  const auto wrong = [](const std::string& what) { return Fail(ErrorCode::kInvalidInput, what); };
  for (const auto& [name, rate] : {std::pair{"up", model.up_bytes_per_second},
                                   std::pair{"down", model.down_bytes_per_second}}) {
    // Slower, and times would no longer fit their type.
    if (!std::isfinite(rate) || rate < 0 || (rate > 0 && rate < 1)) {
      return wrong(std::string(name) + ": must be 0 (no limit) or at least 1 byte/s");
    }
  }
  if (model.delay < Duration::zero() || model.delay > kLongestDelay) {
    return wrong("delay: must lie between 0 and 1 min");
  }
  if (model.jitter < Duration::zero() || model.jitter > kLongestDelay) {
    return wrong("jitter: must lie between 0 and 1 min");
  }
  if (!(model.loss >= 0 && model.loss <= 1)) {
    return wrong("loss: must lie in [0, 1]");
  }
  return {};
}

std::int64_t BytesOnWire(std::int64_t message_bytes) {
  return message_bytes + kHeaders * PacketsOf(message_bytes);
}

LinkLane::LinkLane(const LinkModel& model, double bytes_per_second, Rng rng)
    : model_(model), bytes_per_second_(bytes_per_second), rng_(rng) {
  assert(Validate(model_));
  const Duration round_trip = 2 * model_.delay;
  if (model_.loss > 0 && round_trip > Duration::zero()) {
    const double most = kMathis * (kPayload + kHeaders) /
                        (ToMilliseconds(round_trip) / 1e3 * std::sqrt(model_.loss));
    bytes_per_second_ = bytes_per_second_ > 0 ? std::min(bytes_per_second_, most) : most;
  }
}

std::optional<TimePoint> LinkLane::Send(TimePoint now, std::int64_t bytes) {
  assert(bytes >= 0);
  const TimePoint start = std::max(now, free_at_);
  const Duration jitter =
      model_.jitter > Duration::zero()
          ? Duration(static_cast<Duration::rep>(
                rng_.Uniform() * static_cast<double>(model_.jitter.count())))
          : Duration::zero();
  double on_wire = static_cast<double>(BytesOnWire(bytes));
  if (model_.loss >= 1) {
    free_at_ = start + TimeFor(on_wire, bytes_per_second_);
    return std::nullopt;
  }
  const std::int64_t packets = PacketsOf(bytes);
  TimePoint complete = start;
  if (model_.loss > 0) {
    const Duration round_trip = 2 * model_.delay;
    const double a_packet = on_wire / static_cast<double>(packets);
    double sent = 0;
    for (std::int64_t packet = 0; packet < std::min(packets, kMostPackets); ++packet) {
      sent += a_packet;
      const TimePoint left = start + TimeFor(sent, bytes_per_second_);
      Duration late{};
      Duration timeout = round_trip + kLeastTimeout;
      for (bool again = false; rng_.Chance(model_.loss); again = true) {
        on_wire += a_packet;
        if (!again && packet + kFollowers < packets) {
          late += round_trip;
        } else {
          late += timeout;
          timeout = std::min(2 * timeout, kLongestTimeout);
        }
        if (late > std::chrono::hours(1)) {
          break;  // a connection that loses this much has long been given up
        }
      }
      complete = std::max(complete, left + late);
    }
  }
  free_at_ = start + TimeFor(on_wire, bytes_per_second_);
  complete = std::max(complete, free_at_);
  last_arrival_ = std::max(last_arrival_, complete + model_.delay + jitter);
  return last_arrival_;
}

}  // namespace nearfar
