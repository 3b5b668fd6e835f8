#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/expected.h"
#include "core/ids.h"
#include "core/labels.h"
#include "core/model_identity.h"

namespace nearfar {

/// Head of a trace: once per run, before any frame.
struct RunRecord {
  int schema = 1;
  std::string program;        ///< "nearfar 0.1.0"
  std::string config;         ///< the options in force, as YAML
  LabelSpace classes;         ///< labels of every box in the trace
  std::vector<ModelIdentity> models;  ///< near first, then by link
  WallTime started{};

  friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

/// Why a region went where it went.
struct Verdict {
  RegionId region = kWholeFrame;
  Rect rect;                       ///< of the region, in px of the frame
  Size input;                      ///< of the pixels that a node gets, where it is not rect's size
  std::vector<int> cells;          ///< of a tiled frame's grid, rising; empty: the whole frame
  LinkId link = kNear;             ///< who was to look first, or instead of one that failed
  double crowd = 0;                ///< people expected there, of a tiled frame
  double score = 0;                ///< expected gain by the discriminator; its scale is its own
  double threshold = 0;            ///< the policy uploads above this
  double upload_probability = 0;   ///< with which the policy chose to upload, audits included; 0 or
                                   ///< 1 where no chance was involved. Learning without bias needs it.
  double audit_probability = 0;    ///< with which it looks at a region that stays near
  bool difficult = false;          ///< what the discriminator's score said
  bool uploaded = false;           ///< what was done
  bool audit = false;              ///< chosen to be looked at although it stays near: its far answer
                                   ///< is an outcome of kind audit and not part of the result
  std::string reason;              ///< one phrase: "2 boxes between .18 and .50", "audit", ...
  std::string discriminator;       ///< name and version of who judged
  std::string policy;              ///< name and version of who decided

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// One node's answer for one region, or its failure.
struct Answer {
  RequestId request{};
  RegionId region = kWholeFrame;
  LinkId link = kNear;
  std::string node;                ///< "near", or the far node's address
  std::string model;
  std::string model_version;
  Detections detections;           ///< in px of the frame, by falling score
  std::string error_code;          ///< empty when answered; else ToString(ErrorCode)
  std::string error;               ///< message that belongs to it
  Duration total{};                ///< from hand-over to answer, as the device saw it
  Duration compute{};              ///< inside the node, inference; zero when it does not say
  Duration queued{};               ///< inside the node, waiting; zero when it does not say
  int queue_length = -1;           ///< of the node when it answered; < 0 when it does not say
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;

  bool ok() const { return error_code.empty(); }
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// How a frame ended.
enum class FrameStatus {
  kOk,          ///< everything went as decided
  kDegraded,    ///< complete, but with a near answer where a far one was wanted
  kUnreadable,  ///< the picture could not be read: no boxes
  kFailed,      ///< the near model itself failed and no far answer came
};

constexpr std::string_view ToString(FrameStatus status) {
  switch (status) {
    case FrameStatus::kOk: return "ok";
    case FrameStatus::kDegraded: return "degraded";
    case FrameStatus::kUnreadable: return "unreadable";
    case FrameStatus::kFailed: return "failed";
  }
  return "failed";
}

/// How a frame was cut, filtered and dealt out.
struct TilesRecord {
  int columns = 0;          ///< of the grid
  Size tile;                ///< of a cell, in px
  std::string cells;        ///< one letter per cell, row by row: '#' kept, '?' probed, '.' skipped
  bool full_look = false;   ///< drawn beforehand to be looked at whole
  std::string reason;       ///< the filter's, where it is off or the frame is special; else empty
  std::string unseen;       ///< one letter per cell: '!' wanted and not answered; empty where all were
  std::int64_t all_px = 0;  ///< pixels of all padded tiles
  std::int64_t sent_px = 0; ///< pixels of the regions of this frame, overview included
  std::string filter;       ///< name and version
  std::string scheduler;    ///< name and version
  std::string decided_by;   ///< who made the first assignment: "earliest", "dqn", "guard", ...

  friend bool operator==(const TilesRecord&, const TilesRecord&) = default;
};

/// Everything about one frame, written once, when its result is emitted.
struct FrameRecord {
  FrameId frame{};
  std::string source;
  std::string name;
  Size size;
  WallTime captured_at{};
  FrameStatus status = FrameStatus::kOk;
  std::string reason;             ///< why it is not ok; empty when it is
  std::optional<TilesRecord> tiles;  ///< absent: the frame was looked at whole
  std::vector<Verdict> verdicts;  ///< one per region, in plan order
  std::vector<Answer> answers;    ///< that had come by the time of emission, near first
  Detections detections;          ///< the final result, in px of the frame
  std::vector<LinkId> provenance; ///< who found each of `detections`; same length
  Duration total{};               ///< from capture to emission

  friend bool operator==(const FrameRecord&, const FrameRecord&) = default;
};

/// What an answer was good for when it did not make its frame's result.
enum class OutcomeKind {
  kLate,   ///< came after its frame had been emitted
  kAudit,  ///< an easy region looked at by the far model to measure the blind spot
  kLoser,  ///< another node was quicker
};

constexpr std::string_view ToString(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kLate: return "late";
    case OutcomeKind::kAudit: return "audit";
    case OutcomeKind::kLoser: return "loser";
  }
  return "late";
}

/// An answer that came outside its frame's record, joined to it by `frame`.
struct OutcomeRecord {
  FrameId frame{};
  OutcomeKind kind = OutcomeKind::kLate;
  Answer answer;

  friend bool operator==(const OutcomeRecord&, const OutcomeRecord&) = default;
};

}  // namespace nearfar
