#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.h"
#include "core/expected.h"
#include "core/rng.h"

namespace nearfar {

/// A network link as a few numbers, the same both ways except for the rates.
struct LinkModel {
  double up_bytes_per_second = 0;    ///< away from the device, on the wire; 0 = no limit
  double down_bytes_per_second = 0;  ///< towards the device
  Duration delay{};                  ///< of a packet from end to end, one way; [0, 1 min]
  Duration jitter{};       ///< further delay of a message, uniform in [0, jitter); [0, 1 min]
  double loss = 0;         ///< share of packets that get lost; [0, 1]; 1: nothing ever arrives
  std::uint64_t seed = 1;  ///< of jitter and losses

  friend bool operator==(const LinkModel&, const LinkModel&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const LinkModel& model);

/// Bytes on the wire of a message: packets of 1,448 bytes, each with 66 of Ethernet, IP and TCP.
std::int64_t BytesOnWire(std::int64_t message_bytes);

/// One direction of a modelled link, as one TCP connection uses it: messages go out one after the
/// other and arrive whole and in order. Pure: time and chance come in; the same calls give the same
/// arrivals on every machine.
///
/// A message occupies the lane for its bytes on the wire over the rate, and arrives `delay` (and its
/// jitter) after its last packet has left. A lost packet is sent again, occupies the lane again, and
/// is late: by a round trip of two delays when at least three packets of its message follow it (fast
/// retransmit), else, and whenever it is lost again, by the retransmission timeout of a round trip
/// and 200 ms, which doubles from loss to loss up to a minute. Under loss, congestion control holds
/// the rate to 1.22 packets / (round trip · √loss) (Mathis et al., 1997). Not modelled: the start of
/// a connection, acknowledgements' bytes, other traffic.
class LinkLane {
 public:
  /// REQUIRES: Validate(model).
  static LinkLane Up(const LinkModel& model) {
    return {model, model.up_bytes_per_second, Rng(model.seed)};
  }
  static LinkLane Down(const LinkModel& model) {
    return {model, model.down_bytes_per_second, Rng(MixBits(model.seed))};
  }

  /// Hands a message over: the moment at which it has arrived, or nothing when it never will. It
  /// waits its turn, from `now` or free_at() on. REQUIRES: bytes >= 0; `now` never goes back.
  std::optional<TimePoint> Send(TimePoint now, std::int64_t bytes);

  /// When all messages so far have left: the next one would start then, if not later.
  TimePoint free_at() const { return free_at_; }

 private:
  LinkLane(const LinkModel& model, double bytes_per_second, Rng rng);

  LinkModel model_;
  double bytes_per_second_;  ///< 0 = no limit
  Rng rng_;
  TimePoint free_at_ = TimePoint::min();
  TimePoint last_arrival_ = TimePoint::min();
};

}  // namespace nearfar
