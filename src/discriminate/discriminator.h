#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/detection.h"
#include "core/pixels.h"

namespace nearfar {

/// What a discriminator may look at: the near model's raw boxes and cheap facts of the pixels.
struct Evidence {
  const Detections& raw;   ///< every box down to the score floor, any order, in frame px
  Size image;              ///< size of the frame those boxes are in. REQUIRES: area() > 0
  PixelFeatures features;  ///< may be absent, see there
  std::uint64_t key = 0;   ///< hash of the image's name: what chance hangs on
};

/// How much the far model is expected to add to one region, and why.
struct Gain {
  double score = 0;        ///< larger = more worth an upload; the scale is the discriminator's own
  bool difficult = false;  ///< the discriminator's own verdict, where it has a built-in threshold
  std::string reason;      ///< one phrase for trace and people; empty unless asked for
};

/// What came back for a region that was looked at by the far model.
struct GainOutcome {
  const Detections& near;
  const Detections& far;
  double upload_probability = 1;
};

/// Decides from the near model's output alone how much the far model would add. [SmallBig §V]
/// Judge is pure: same state, same evidence, same gain. Watch and Observe may change the state.
/// Not thread-safe.
class Discriminator {
 public:
  virtual ~Discriminator() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  /// Which pixel features Judge needs; a recording without them cannot be judged.
  virtual bool needs_brenner() const { return false; }
  virtual bool needs_jpeg_bytes() const { return false; }
  /// False when Judge reads no box and whatever is difficult goes to the far model whole: a planner
  /// may then judge a picture before the near model has seen it, and leave the near model out where
  /// the far one answers.
  virtual bool needs_boxes() const { return true; }
  /// REQUIRES: the evidence has what needs_brenner() and needs_jpeg_bytes() ask for.
  /// @param explain  also fill Gain::reason (costs an allocation).
  virtual Gain Judge(const Evidence& evidence, bool explain) const = 0;
  /// False when it can only rank images: it never says "difficult", and natural_threshold() is
  /// +infinity until a threshold is given or calibrated.
  virtual bool has_verdict() const { return true; }
  /// Score above which its own verdict is "difficult"; the default threshold of a policy.
  /// Gain::difficult holds exactly when Gain::score is greater than this.
  virtual double natural_threshold() const = 0;
  /// Sees one image of the stream, uploaded or not: each once, in the order of the stream, after it
  /// was judged. For what hangs on the stream alone, as how frequent the classes are.
  virtual void Watch(const Evidence& /*evidence*/) {}
  /// Learns from an answer. May come late, twice or never.
  virtual void Observe(const Evidence& /*evidence*/, const GainOutcome& /*outcome*/) {}
};

}  // namespace nearfar
