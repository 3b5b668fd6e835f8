#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "core/tile_grid.h"
#include "discriminate/discriminator.h"
#include "discriminate/fusion.h"
#include "discriminate/upload_policy.h"
#include "flow/flow_filter.h"
#include "pipeline/planner.h"
#include "schedule/scheduler.h"
#include "schedule/speed.h"
#include "tiling/join.h"
#include "tiling/merge.h"
#include "tiling/padding.h"
#include "tiling/scale.h"
#include "tiling/tiling.h"

namespace nearfar {

/// How a frame becomes regions.
enum class FrameCut {
  kTiles,  ///< padded tiles, those that the flow filter keeps [HODE §II]
  kWhole,  ///< one region, the frame [HODE §III.B "Infer 4K Images"]
  kBoxes,  ///< the last people's boxes, grown [HODE §III.B "Elf-based"]
};

/// How the regions' boxes become the frame's.
enum class TileMerge {
  kBorder,  ///< the border rule (tiling/merge.h)
  kIou,     ///< duplicates by IoU alone, as printed [HODE §II]
};

/// A node that regions can be sent to.
struct NodeDescription {
  LinkId link{};              ///< kNear is this device
  std::string name;
  double quality = 0;         ///< rank of its model: AP or GFLOPs, larger finds more
  double px_per_second = 0;   ///< first guess of its speed, until it is measured; 0: none
  bool far = false;           ///< not dealt tiles: it looks at those judged difficult
  bool ready = true;          ///< at the start

  friend bool operator==(const NodeDescription&, const NodeDescription&) = default;
};

struct ParallelPlannerOptions {
  std::vector<NodeDescription> nodes;  ///< at least one that is not far; links differ
  FrameCut cut = FrameCut::kTiles;
  Size tile{512, 512};         ///< px of the frame; positive
  PaddingOptions padding;
  JoinOptions joining;         ///< of kept neighbours to rectangles
  ScaleOptions scale;          ///< of kept regions where people are large; off by default
  int native_every = 20;       ///< with a scale: every so many frames, and where the filter looks at
                               ///< all, regions keep their own, to learn how small people are; >= 1
  int overview = 960;          ///< longer side of the whole frame's coarse pass, px; 0: none
  int overview_rest = 10;      ///< after so many results without anybody too large to be whole in
                               ///< some tile, only every so many-th frame has an overview; >= 1
  TileMerge merge = TileMerge::kBorder;
  MergeOptions merging;
  double grow = 0.3;           ///< kBoxes: of a box's width and height, in all; >= 0
  int full_every = 0;          ///< kBoxes: every so many frames all tiles instead; 0: the first only
  int person = 0;              ///< the label that counts as a person; < 0: every label
  float person_score = 0.3F;   ///< boxes at or above count for filter, padding and crowds; [0, 1]
  float score_threshold = 0.01F;  ///< boxes below do not enter the result; [0, 1]
  Duration deadline = std::chrono::seconds(5);  ///< from arrival; the frame then ends with what there
                                                ///< is; > 0
  Duration target{};           ///< from arrival: the scheduler may use up so much for larger models;
                               ///< 0: as soon as possible
  int max_tries = 3;           ///< nodes that a region is sent to, one after the other's failure; >= 1
  Duration first_backoff = std::chrono::milliseconds(250);  ///< rest of a node after a failure;
                                                            ///< doubles; > 0
  Duration last_backoff = std::chrono::seconds(5);          ///< longest rest; >= first_backoff
  SpeedOptions speed;          ///< how nodes are measured
  int max_uploads = 8;         ///< regions at the far node at the same time; further ones wait; >= 1
  FusionWeights fusion;        ///< of both answers of a region that was sent far
  double bytes_per_px = 0.15;  ///< estimate of a region's JPEG where the frame has none; > 0

  friend bool operator==(const ParallelPlannerOptions&, const ParallelPlannerOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const ParallelPlannerOptions& options);

/// The policies of a ParallelPlanner. The last two belong together and make the cascade: where they
/// are null, no tile goes far.
struct ParallelPolicies {
  std::unique_ptr<FlowFilter> filter;        ///< not null
  std::unique_ptr<Scheduler> scheduler;      ///< not null
  std::unique_ptr<Discriminator> discriminator;
  std::unique_ptr<UploadPolicy> upload;
};

/// HODE's camera [HODE §II]: a frame is split in padded tiles, the flow filter drops those without
/// people, the scheduler deals the rest out to the nodes, crowded ones to the larger models, and what
/// comes back is merged. Several frames may be in flight; they end in order.
///
/// Beyond the paper: neighbours are joined to rectangles, so that padding is not paid twice; the
/// whole frame is also looked at coarsely, for people larger than a tile; nodes join, fail, rest and
/// return, and a failed region goes to another node; a frame ends at its deadline at the latest,
/// marked with the cells that nobody looked at. With a discriminator, each region's near answer is
/// judged, and what is difficult goes to the far node under the upload policy (the cascade at tile
/// grain): the far answer replaces the near one for this region.
class ParallelPlanner final : public Planner {
 public:
  /// REQUIRES: Validate(options); filter and scheduler not null; discriminator and upload both or
  /// neither.
  ParallelPlanner(ParallelPlannerOptions options, ParallelPolicies policies);

  Actions Step(const Event& event) override;
  bool needs_brenner() const override { return false; }
  bool needs_jpeg_bytes() const override { return false; }

  /// What filter and scheduler have learned: two lines of text.
  std::string SaveState() const;
  /// Goes on with a saved state, for frames of this size. Errors: kInvalidInput when it is no state,
  /// or one of another filter, scheduler or grid.
  /// REQUIRES: no frame has come; frame.area() > 0.
  Expected<void> LoadState(std::string_view state, Size frame);

  /// Frames that have arrived and are not yet emitted.
  std::size_t frames_in_flight() const { return frames_.size(); }
  const FlowFilter& filter() const { return *policies_.filter; }
  const Scheduler& scheduler() const { return *policies_.scheduler; }

 private:
  enum class Stage { kHeld, kOut, kWaitsForFar, kFar, kAnswered, kFailed };

  /// One region of a frame on its way.
  struct RegionState {
    TiledRegion tiled;
    double crowd = 0;
    Stage stage = Stage::kHeld;
    RequestId request{};          ///< while it is out or far
    int tries = 0;
    std::set<LinkId> failed_at;
    int near_answer = -1;         ///< index into the record's answers
    int far_answer = -1;
    UploadCost estimated;
    std::string error;            ///< of the last try
  };

  /// One frame from arrival to emission.
  struct FrameState {
    bool planned = false;         ///< false: the picture could not be read
    bool finished = false;
    bool native = true;           ///< no region was scaled down
    TimePoint arrived{};
    TimePoint captured{};
    TimePoint moment{};
    TimePoint deadline{};
    std::int64_t upload_bytes = 0;
    PixelFeatures features;
    TileGrid grid;
    LookPlan look;
    std::vector<RegionState> regions;
    std::size_t open = 0;         ///< regions neither answered nor failed
    std::size_t held = 0;         ///< regions in stage kHeld
    FrameRecord record;
    LookResult result;            ///< for the filter, at emission
  };

  /// A node as the planner sees it.
  struct Node {
    NodeDescription description;
    bool ready = true;
    int failures = 0;             ///< in a row
    TimePoint retry_at{};         ///< rests before, while failures > 0
    int queued = 0;
    std::int64_t queued_px = 0;
    double bytes_per_second = 0;  ///< of its link; 0: not measured
    Duration round_trip{};
    SpeedEstimator speed;
  };

  /// A request that is out.
  struct Request {
    FrameId frame{};
    RegionId region{};
    LinkId link{};
    std::int64_t pixels = 0;
    TimePoint sent{};
    bool wanted = true;           ///< false: its frame has ended, or ends, without it
    bool far = false;
    bool audit = false;
    // Of far requests, for what learns from the answer:
    UploadCost estimated;
    Detections near;              ///< in px of the frame
    Rect rect;
    std::uint64_t key = 0;
    double upload_probability = 1;
  };

  void On(const FrameArrived& event, Actions& actions);
  void On(const FrameBroken& event, Actions& actions);
  void On(const ReplyArrived& event, Actions& actions);
  void On(const TimerFired& event, Actions& actions);
  void On(const NodeChanged& event, Actions& actions);
  void On(const LinkChanged& event, Actions& actions);
  void On(const Trained& event, Actions& actions);

  /// Cuts the frame into regions by the look plan, and writes down why.
  void PlanRegions(FrameState& state);
  /// The first frame, or another size in mid-stream: everything known of places is forgotten.
  void SetGrid(const TileGrid& grid);
  std::vector<TiledRegion> CutFrame(const FrameState& state, const Padding& padding) const;
  bool IsReady(const Node& node, TimePoint now) const;
  /// Of the nodes that look at tiles.
  std::vector<NodeState> NodeStates(TimePoint now) const;
  /// Deals out what is held of the frames in flight, oldest first.
  void DealOut(TimePoint now, Actions& actions);
  void DealOut(FrameState& state, bool first, TimePoint now, Actions& actions);
  /// The chosen node, or one at which the region has not failed, where there is one that is ready.
  int SomewhereElse(std::span<const NodeState> nodes, int chosen, const RegionState& region) const;
  void SendTo(FrameState& state, std::size_t index, Node& node, bool far, TimePoint now,
              Actions& actions);
  void TakeNearAnswer(FrameState& state, RegionState& region, Answer answer, TimePoint now,
                      Actions& actions);
  /// Decides whether the far model looks at a region, too.
  void Judge(FrameState& state, RegionState& region, TimePoint now, Actions& actions);
  /// Sends waiting uploads while there is room, or gives them up while the far node rests.
  void DispatchUploads(TimePoint now, Actions& actions);
  void TakeFarAnswer(FrameState& state, RegionState& region, Answer answer);
  /// Ends a region with its near answer although the far one was wanted.
  void KeepNear(FrameState& state, RegionState& region, const std::string& reason);
  void ObserveFar(const Request& request, const Answer& answer, TimePoint now);
  /// Starts or lengthens the rest of a node.
  void NoteFailure(Node& node, TimePoint now, Actions& actions);
  /// Merges what has come and marks what has not.
  void Finish(FrameState& state, TimePoint now);
  RegionResult ResultOf(const FrameState& state, const RegionState& region) const;
  void EmitFinished(TimePoint now, Actions& actions);

  Node* Find(LinkId link);
  Node* FarNode();
  const Detections& NearDetections(const FrameState& state, const RegionState& region) const;
  std::uint64_t KeyOf(const FrameState& state, std::size_t region) const;
  /// What sending a region is expected to cost.
  UploadCost CostOf(const FrameState& state, const TiledRegion& region, const Node& node) const;
  /// Scales regions down where people are large.
  void ScaleDown(FrameState& state, std::vector<TiledRegion>& regions) const;
  /// Whether a frame has the whole frame's coarse pass.
  bool WantsOverview(const FrameState& state) const;
  /// Learns from a frame's result, in the order of frames.
  void Learn(FrameState& state);
  static bool IsOut(const RegionState& region);
  static Detections InRegion(const Detections& in_frame, const Rect& rect);

  ParallelPlannerOptions options_;
  ParallelPolicies policies_;
  PaddingEstimator padding_;
  ScaleEstimator scale_;
  std::optional<TileGrid> grid_;
  std::vector<Node> nodes_;
  std::map<FrameId, FrameState> frames_;    ///< arrived, not emitted
  std::map<RequestId, Request> requests_;   ///< out, wanted or not
  std::deque<std::pair<FrameId, RegionId>> uploads_waiting_;
  int uploads_out_ = 0;
  std::optional<Detections> last_people_;   ///< of the newest result, in px of its frame
  int results_without_large_ = 0;           ///< in a row: nobody too large for the tiles
  std::uint64_t next_due_ = 0;
  std::uint64_t next_request_ = 1;
};

}  // namespace nearfar
