#include "pipeline/parallel_planner.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/rng.h"
#include "tiling/box_regions.h"

namespace nearfar {
namespace {

std::string NameAndVersion(const auto& policy) { return policy.name() + " " + policy.version(); }

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

bool IsShare(double value) { return value >= 0 && value <= 1; }

}  // namespace

Expected<void> Validate(const ParallelPlannerOptions& options) {
  const auto wrong = [](const std::string& what) { return Fail(ErrorCode::kInvalidInput, what); };
  std::set<LinkId> links;
  for (const NodeDescription& node : options.nodes) {
    if (!links.insert(node.link).second) {
      return wrong("nodes: two of them have link " + std::to_string(ToNumber(node.link)));
    }
    if (!(node.px_per_second >= 0)) {
      return wrong("nodes: the speed of " + node.name + " must not be negative");
    }
  }
  if (std::none_of(options.nodes.begin(), options.nodes.end(),
                   [](const NodeDescription& node) { return !node.far; })) {
    return wrong("nodes: there is none to look at tiles: give at least one that is not far");
  }
  if (options.tile.width <= 0 || options.tile.height <= 0) {
    return wrong("tile: must be at least 1x1, is " + std::to_string(options.tile.width) + "x" +
                 std::to_string(options.tile.height));
  }
  if (options.native_every < 1) {
    return wrong("native_every: must be at least 1, is " + std::to_string(options.native_every));
  }
  if (options.overview < 0 || options.overview_rest < 1) {
    return wrong("overview: must not be negative; overview_rest: must be at least 1");
  }
  if (!(options.grow >= 0) || options.full_every < 0) {
    return wrong("grow, full_every: must not be negative");
  }
  if (!IsShare(options.person_score) || !IsShare(options.score_threshold)) {
    return wrong("person_score, score_threshold: must lie in [0, 1]");
  }
  if (options.deadline <= Duration::zero() || options.target < Duration::zero()) {
    return wrong("deadline: must be longer than 0; target: must not be negative");
  }
  if (options.max_tries < 1 || options.max_uploads < 1) {
    return wrong("max_tries, max_uploads: must be at least 1");
  }
  if (options.first_backoff <= Duration::zero() || options.last_backoff < options.first_backoff) {
    return wrong("first_backoff, last_backoff: must be longer than 0 and not shrink");
  }
  if (!(options.bytes_per_px > 0)) {
    return wrong("bytes_per_px: must be more than 0");
  }
  for (const Expected<void>& valid :
       {Validate(options.padding), Validate(options.scale), Validate(options.joining),
        Validate(options.merging), Validate(options.speed), Validate(options.fusion)}) {
    if (!valid) {
      return valid;
    }
  }
  return {};
}

ParallelPlanner::ParallelPlanner(ParallelPlannerOptions options, ParallelPolicies policies)
    : options_(std::move(options)), policies_(std::move(policies)), padding_(options_.padding), scale_(options_.scale) {
  assert(Validate(options_) && policies_.filter && policies_.scheduler &&
         (policies_.discriminator == nullptr) == (policies_.upload == nullptr));
  for (const NodeDescription& description : options_.nodes) {
    nodes_.push_back({.description = description,
                      .ready = description.ready,
                      .speed = SpeedEstimator(options_.speed)});
  }
}

Actions ParallelPlanner::Step(const Event& event) {
  Actions actions;
  std::visit(
      [&](const auto& e) {
        On(e, actions);
        DealOut(e.now, actions);
        DispatchUploads(e.now, actions);
        EmitFinished(e.now, actions);
      },
      event);
  return actions;
}

// Split, filter, schedule: all that happens before any node looks. [HODE §II]
void ParallelPlanner::On(const FrameArrived& event, Actions& actions) {
  FrameState& state = frames_[event.frame];
  state.arrived = event.now;
  state.captured = event.captured;
  state.moment = event.moment;
  state.upload_bytes = event.upload_bytes;
  state.features = event.features;
  FrameRecord& record = state.record;
  record.frame = event.frame;
  record.source = event.source;
  record.name = event.name;
  record.size = event.size;
  record.captured_at = event.captured_at;
  if (event.size.width <= 0 || event.size.height <= 0) {
    record.status = FrameStatus::kUnreadable;
    record.reason = "the picture has no size";
    state.finished = true;
    return;
  }
  state.planned = true;
  state.grid = MakeTileGrid(event.size, options_.tile);
  if (grid_ != state.grid) {
    SetGrid(state.grid);
  }
  state.look = policies_.filter->Plan(event.frame, event.moment);
  PlanRegions(state);
  state.deadline = event.now + options_.deadline;
  if (state.open == 0) {  // nothing to look at
    Finish(state, event.now);
    return;
  }
  actions.push_back(WakeAt{state.deadline});
  DealOut(state, /*first=*/true, event.now, actions);
}

void ParallelPlanner::On(const FrameBroken& event, Actions& /*actions*/) {
  FrameState& state = frames_[event.frame];
  state.captured = event.now;
  state.finished = true;
  state.record.frame = event.frame;
  state.record.source = event.source;
  state.record.name = event.name;
  state.record.status = FrameStatus::kUnreadable;
  state.record.reason = event.reason;
}

void ParallelPlanner::On(const ReplyArrived& event, Actions& actions) {
  const auto found = requests_.find(event.answer.request);
  if (found == requests_.end()) {
    return;  // answered before, or never asked
  }
  const Request request = std::move(found->second);
  requests_.erase(found);
  Answer answer = event.answer;
  answer.region = request.region;  // what was asked is known here
  answer.link = request.link;
  Node& node = *Find(request.link);
  --node.queued;
  node.queued_px -= request.pixels;
  if (answer.ok()) {
    node.failures = 0;
    node.speed.Observe({.sent = request.sent,
                        .answered = event.now,
                        .pixels = request.pixels,
                        .compute = answer.compute});
  } else {
    NoteFailure(node, event.now, actions);
  }
  if (request.far) {
    --uploads_out_;
    ObserveFar(request, answer, event.now);
  }
  if (!request.wanted) {
    actions.push_back(EmitOutcome{
        {request.frame, request.audit ? OutcomeKind::kAudit : OutcomeKind::kLate, answer}});
    return;
  }
  FrameState& state = frames_.at(request.frame);
  RegionState& region = state.regions[ToNumber(request.region)];
  if (request.far) {
    TakeFarAnswer(state, region, std::move(answer));
  } else {
    TakeNearAnswer(state, region, std::move(answer), event.now, actions);
  }
  if (state.open == 0) {
    Finish(state, event.now);
  }
}

void ParallelPlanner::On(const TimerFired& event, Actions& actions) {
  for (auto& [id, state] : frames_) {
    if (state.finished || state.deadline > event.now) {
      continue;
    }
    for (RegionState& region : state.regions) {
      if (const auto request = requests_.find(region.request);
          request != requests_.end() && IsOut(region)) {
        request->second.wanted = false;
        actions.push_back(Cancel{region.request, request->second.link});
        region.error = "no answer from " + Find(request->second.link)->description.name;
      }
      if (region.stage == Stage::kWaitsForFar) {
        policies_.upload->Withdraw(region.estimated, event.now);
      }
    }
    Finish(state, event.now);
  }
  std::erase_if(uploads_waiting_, [&](const auto& waiting) {
    return frames_.at(waiting.first).finished;
  });
}

void ParallelPlanner::On(const NodeChanged& event, Actions& actions) {
  Node* node = Find(event.link);
  if (node == nullptr) {  // one that nobody had told of
    nodes_.push_back({.description = {.link = event.link, .name = event.node},
                      .ready = event.ready,
                      .speed = SpeedEstimator(options_.speed)});
    std::sort(nodes_.begin(), nodes_.end(), [](const Node& a, const Node& b) {
      return a.description.link < b.description.link;
    });
    return;
  }
  node->ready = event.ready;
  if (event.ready) {
    node->failures = 0;
  } else {
    NoteFailure(*node, event.now, actions);
  }
}

void ParallelPlanner::On(const LinkChanged& event, Actions& /*actions*/) {
  if (Node* node = Find(event.link)) {
    node->bytes_per_second = event.bytes_per_second;
    node->round_trip = event.round_trip;
  }
}

void ParallelPlanner::On(const Trained& event, Actions& /*actions*/) {
  policies_.filter->Adopt(*event.training);
}

void ParallelPlanner::SetGrid(const TileGrid& grid) {
  grid_ = grid;
  policies_.filter->SetGrid(grid);
  padding_ = PaddingEstimator(options_.padding);
  scale_ = ScaleEstimator(options_.scale);
  last_people_.reset();
  results_without_large_ = 0;
}

std::string ParallelPlanner::SaveState() const {
  return policies_.filter->SaveState() + "\n" + policies_.scheduler->SaveState() + "\n";
}

Expected<void> ParallelPlanner::LoadState(std::string_view state, Size frame) {
  const std::size_t end = state.find('\n');
  const std::size_t last = end == std::string_view::npos ? end : state.find('\n', end + 1);
  if (last != state.size() - 1) {
    return Fail(ErrorCode::kInvalidInput, "a planner's state is two lines, one of its filter and one "
                                          "of its scheduler");
  }
  SetGrid(MakeTileGrid(frame, options_.tile));
  const std::string_view of_filter = state.substr(0, end);
  const std::string_view of_scheduler = state.substr(end + 1, last - end - 1);
  if (!of_filter.empty()) {
    if (auto loaded = policies_.filter->LoadState(of_filter); !loaded) {
      return loaded;
    }
  }
  return of_scheduler.empty() ? Expected<void>() : policies_.scheduler->LoadState(of_scheduler);
}

void ParallelPlanner::PlanRegions(FrameState& state) {
  const Padding padding = padding_.Current(state.grid);
  TilesRecord& tiles = state.record.tiles.emplace();
  tiles.columns = state.grid.columns;
  tiles.tile = state.grid.tile;
  tiles.full_look = state.look.full_look;
  tiles.reason = state.look.reason;
  tiles.filter = NameAndVersion(*policies_.filter);
  tiles.scheduler = NameAndVersion(*policies_.scheduler);
  for (int cell = 0; cell < state.grid.cells(); ++cell) {
    tiles.all_px += PaddedTile(state.grid, padding, cell).size().area();
  }
  std::vector<TiledRegion> regions = CutFrame(state, padding);
  ScaleDown(state, regions);
  if (WantsOverview(state)) {
    regions.push_back(Overview(state.grid.frame, options_.overview));
  }
  // What is looked at in passing is looked at: a rectangle may cover cells that the filter drops.
  tiles.cells.assign(static_cast<std::size_t>(state.grid.cells()), '.');
  for (const TiledRegion& region : regions) {
    for (const int cell : region.cells) {
      const auto at = static_cast<std::size_t>(cell);
      tiles.cells[at] = state.look.cells[at] == Look::kProbe ? '?' : '#';
    }
  }
  const std::vector<float>& crowds = policies_.filter->crowds();
  for (TiledRegion& tiled : regions) {
    Verdict verdict;
    verdict.region = RegionId{static_cast<std::uint32_t>(state.regions.size())};
    verdict.rect = tiled.rect;
    verdict.input = tiled.input;
    verdict.cells = tiled.cells;
    for (const int cell : tiled.cells) {
      verdict.crowd += crowds[static_cast<std::size_t>(cell)];
    }
    if (tiled.kind == TiledRegion::Kind::kOverview) {
      verdict.reason = "overview";
    }
    tiles.sent_px += tiled.pixels();
    state.regions.push_back({.tiled = std::move(tiled), .crowd = verdict.crowd});
    state.record.verdicts.push_back(std::move(verdict));
  }
  state.open = state.held = state.regions.size();
}

std::vector<TiledRegion> ParallelPlanner::CutFrame(const FrameState& state,
                                                   const Padding& padding) const {
  std::vector<TiledRegion> regions;
  if (options_.cut == FrameCut::kWhole) {
    TiledRegion whole{.rect = WholeOf(state.grid.frame), .input = state.grid.frame};
    for (int cell = 0; cell < state.grid.cells(); ++cell) {
      whole.cells.push_back(cell);
    }
    regions.push_back(std::move(whole));
    return regions;
  }
  const auto number = ToNumber(state.record.frame);
  const bool full = !last_people_ || (options_.full_every > 0 &&
                                      number % static_cast<unsigned>(options_.full_every) == 0);
  if (options_.cut == FrameCut::kBoxes && !full) {
    regions = RegionsAroundBoxes(state.grid, *last_people_, options_.grow,
                                 options_.joining);
  } else {
    std::vector<int> cells;
    for (int cell = 0; cell < state.grid.cells(); ++cell) {
      if (state.look.cells[static_cast<std::size_t>(cell)] != Look::kSkip) {
        cells.push_back(cell);
      }
    }
    regions = JoinTiles(state.grid, padding, cells, options_.joining);
  }
  return regions;
}

void ParallelPlanner::ScaleDown(FrameState& state, std::vector<TiledRegion>& regions) const {
  const bool learns = ToNumber(state.record.frame) %
                          static_cast<unsigned>(options_.native_every) == 0;
  if (options_.cut != FrameCut::kTiles || options_.scale.wanted_height <= 0 || learns ||
      state.look.full_look) {
    return;
  }
  state.native = false;
  for (TiledRegion& region : regions) {
    region.input = ScaledInput(region.rect.size(), scale_.ScaleOf(state.grid, region));
  }
}

bool ParallelPlanner::WantsOverview(const FrameState& state) const {
  return options_.overview > 0 && options_.cut != FrameCut::kWhole && (results_without_large_ < options_.overview_rest ||
                                   ToNumber(state.record.frame) %
                                           static_cast<unsigned>(options_.overview_rest) ==
                                       0);
}

bool ParallelPlanner::IsReady(const Node& node, TimePoint now) const {
  return node.ready && (node.failures == 0 || now >= node.retry_at);
}

std::vector<NodeState> ParallelPlanner::NodeStates(TimePoint now) const {
  std::vector<NodeState> states;
  for (const Node& node : nodes_) {
    if (node.description.far) {
      continue;
    }
    NodeState& state = states.emplace_back();
    state.link = node.description.link;
    state.ready = IsReady(node, now);
    state.queued = node.queued;
    state.queued_px = node.queued_px;
    state.quality = node.description.quality;
    state.px_per_second = node.description.px_per_second;
    if (node.speed.measured()) {
      const NodeSpeed speed = node.speed.At(now);
      state.px_per_second = speed.px_per_second;
      state.per_region = speed.per_region;
    }
  }
  const auto state_of = [&](LinkId link) {
    return std::find_if(states.begin(), states.end(),
                        [&](const NodeState& state) { return state.link == link; });
  };
  for (const auto& [id, frame] : frames_) {
    for (std::size_t i = 0; i < frame.regions.size(); ++i) {
      const auto node = state_of(frame.record.verdicts[i].link);
      if (frame.regions[i].tries > 0 && node != states.end()) {
        ++node->given;
        node->done += frame.regions[i].stage != Stage::kOut ? 1 : 0;
      }
    }
  }
  for (const auto& [id, request] : requests_) {
    if (const auto node = state_of(request.link); node != states.end()) {
      node->oldest = std::max(node->oldest, now - request.sent);
    }
  }
  return states;
}

void ParallelPlanner::DealOut(TimePoint now, Actions& actions) {
  for (auto& [id, state] : frames_) {
    if (state.held > 0 && !state.finished) {
      DealOut(state, /*first=*/false, now, actions);
    }
  }
}

void ParallelPlanner::DealOut(FrameState& state, bool first, TimePoint now, Actions& actions) {
  const std::vector<NodeState> nodes = NodeStates(now);
  const bool any_ready =
      std::any_of(nodes.begin(), nodes.end(), [](const NodeState& node) { return node.ready; });
  if (!any_ready) {
    return;  // until one returns, or the deadline
  }
  std::vector<Work> work;
  for (std::size_t i = 0; i < state.regions.size(); ++i) {
    const RegionState& region = state.regions[i];
    if (region.stage == Stage::kHeld) {
      work.push_back({RegionId{static_cast<std::uint32_t>(i)},
                      std::max<std::int64_t>(1, region.tiled.pixels()), region.crowd});
    }
  }
  WorkDeal deal{.now = now, .frame = state.record.frame, .nodes = nodes, .work = work,
                .first = first};
  if (options_.target > Duration::zero()) {
    deal.slack = std::max(Duration::zero(), state.arrived + options_.target - now);
  }
  Assignment assignment = policies_.scheduler->Assign(deal);
  if (first) {
    state.record.tiles->decided_by = assignment.decided_by;
  }
  bool any_open = std::any_of(nodes.begin(), nodes.end(),
                              [](const NodeState& node) { return node.ready && node.queued > 0; });
  for (std::size_t i = 0; i < work.size(); ++i) {
    int at = assignment.node_of[i];
    if (at == Assignment::kHeldBack && !any_open && i + 1 == work.size()) {
      at = 0;  // nothing is out that could bring this up again
    }
    if (at == Assignment::kHeldBack) {
      continue;
    }
    const std::size_t index = ToNumber(work[i].region);
    at = SomewhereElse(nodes, at, state.regions[index]);
    any_open = true;
    SendTo(state, index, *Find(nodes[static_cast<std::size_t>(at)].link), /*far=*/false, now,
           actions);
  }
}

int ParallelPlanner::SomewhereElse(std::span<const NodeState> nodes, int chosen,
                                   const RegionState& region) const {
  const auto serves = [&](const NodeState& node, bool unspoilt) {
    return node.ready && (!unspoilt || !region.failed_at.contains(node.link));
  };
  for (const bool unspoilt : {true, false}) {
    if (serves(nodes[static_cast<std::size_t>(chosen)], unspoilt)) {
      return chosen;
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (serves(nodes[i], unspoilt)) {
        return static_cast<int>(i);
      }
    }
  }
  return chosen;
}

void ParallelPlanner::SendTo(FrameState& state, std::size_t index, Node& node, bool far,
                             TimePoint now, Actions& actions) {
  RegionState& region = state.regions[index];
  const RequestId id{next_request_++};
  const TiledRegion& tiled = region.tiled;
  const auto region_id = RegionId{static_cast<std::uint32_t>(index)};
  Request request{.frame = state.record.frame,
                  .region = region_id,
                  .link = node.description.link,
                  .pixels = tiled.pixels(),
                  .sent = now,
                  .far = far};
  region.request = id;
  if (far) {
    region.stage = Stage::kFar;
    request.estimated = region.estimated;
    request.near = NearDetections(state, region);
    request.rect = tiled.rect;
    request.key = KeyOf(state, index);
    request.upload_probability = state.record.verdicts[index].upload_probability;
    state.record.verdicts[index].uploaded = true;
    ++uploads_out_;
  } else {
    region.stage = Stage::kOut;
    ++region.tries;
    --state.held;
    state.record.verdicts[index].link = node.description.link;
  }
  requests_[id] = std::move(request);
  ++node.queued;
  node.queued_px += tiled.pixels();
  const Size input = tiled.input == tiled.rect.size() ? Size{} : tiled.input;
  if (node.description.link == kNear) {
    actions.push_back(Infer{id, state.record.frame, region_id, tiled.rect, input});
  } else {
    actions.push_back(Send{id, state.record.frame, region_id, tiled.rect, node.description.link,
                           state.deadline, CostOf(state, tiled, node), input});
  }
}

void ParallelPlanner::TakeNearAnswer(FrameState& state, RegionState& region, Answer answer,
                                     TimePoint now, Actions& actions) {
  const LinkId link = answer.link;
  const bool ok = answer.ok();
  if (!ok) {
    region.error = answer.error_code + ": " + answer.error;
  }
  state.record.answers.push_back(std::move(answer));
  if (!ok) {
    region.failed_at.insert(link);
    if (region.tries < options_.max_tries) {
      region.stage = Stage::kHeld;
      ++state.held;
    } else {
      region.stage = Stage::kFailed;
      --state.open;
    }
    return;
  }
  region.near_answer = static_cast<int>(state.record.answers.size()) - 1;
  if (policies_.discriminator) {
    Judge(state, region, now, actions);
  }
  if (region.stage != Stage::kWaitsForFar) {
    region.stage = Stage::kAnswered;
    --state.open;
  }
}

// [SmallBig §V], region by region: what the near model saw of a tile decides whether the far model
// looks at this tile, too.
void ParallelPlanner::Judge(FrameState& state, RegionState& region, TimePoint now,
                            Actions& actions) {
  const auto index = static_cast<std::size_t>(&region - state.regions.data());
  const Rect& rect = region.tiled.rect;
  const Node* far = FarNode();
  region.estimated = CostOf(state, region.tiled, far ? *far : nodes_.front());
  const Detections raw = InRegion(NearDetections(state, region), rect);
  const Evidence evidence{raw, rect.size(), {}, KeyOf(state, index)};
  Gain gain = policies_.discriminator->Judge(evidence, /*explain=*/true);
  policies_.discriminator->Watch(evidence);
  // Regions differ in what they cost: what competes is the gain for a tile's worth of pixels.
  const double tiles = static_cast<double>(std::max<std::int64_t>(1, region.tiled.pixels())) /
                       static_cast<double>(state.grid.tile.area());
  if (gain.score > 0 && policies_.upload->ranks()) {
    gain.score /= tiles;
  }
  const UploadChoice choice = policies_.upload->Choose(gain, region.estimated, now);
  Verdict& verdict = state.record.verdicts[index];
  verdict.score = gain.score;
  verdict.threshold = choice.threshold;
  verdict.upload_probability = choice.probability;
  verdict.audit_probability = choice.audit_probability;
  verdict.difficult = gain.difficult;
  verdict.audit = choice.audit;
  verdict.reason = choice.reason.empty() ? gain.reason : gain.reason + "; " + choice.reason;
  verdict.discriminator = NameAndVersion(*policies_.discriminator);
  verdict.policy = NameAndVersion(*policies_.upload);
  if (!choice.upload) {
    return;
  }
  if (choice.audit) {
    Node* node = FarNode();
    if (node == nullptr || !IsReady(*node, now) || uploads_out_ >= options_.max_uploads) {
      policies_.upload->Withdraw(region.estimated, now);
      return;
    }
    SendTo(state, index, *node, /*far=*/true, now, actions);
    Request& request = requests_.at(region.request);
    request.wanted = false;
    request.audit = true;
    return;  // the near answer stands, whatever comes
  }
  region.stage = Stage::kWaitsForFar;
  uploads_waiting_.push_back({state.record.frame, verdict.region});
}

void ParallelPlanner::DispatchUploads(TimePoint now, Actions& actions) {
  while (!uploads_waiting_.empty()) {
    const auto [frame, id] = uploads_waiting_.front();
    FrameState& state = frames_.at(frame);
    RegionState& region = state.regions[ToNumber(id)];
    Node* far = FarNode();
    if (far == nullptr || !IsReady(*far, now)) {
      policies_.upload->Withdraw(region.estimated, now);
      KeepNear(state, region, far == nullptr ? "there is no far node" : "the far node rests");
      if (state.open == 0) {
        Finish(state, now);
      }
    } else if (uploads_out_ < options_.max_uploads) {
      SendTo(state, ToNumber(id), *far, /*far=*/true, now, actions);
    } else {
      return;
    }
    uploads_waiting_.pop_front();
  }
}

void ParallelPlanner::TakeFarAnswer(FrameState& state, RegionState& region, Answer answer) {
  if (!answer.ok()) {
    const std::string reason = answer.error_code + ": " + answer.error;
    state.record.answers.push_back(std::move(answer));
    KeepNear(state, region, reason);
    return;
  }
  state.record.answers.push_back(std::move(answer));
  region.far_answer = static_cast<int>(state.record.answers.size()) - 1;
  region.stage = Stage::kAnswered;
  --state.open;
}

void ParallelPlanner::KeepNear(FrameState& state, RegionState& region, const std::string& reason) {
  region.stage = Stage::kAnswered;
  --state.open;
  state.record.status = FrameStatus::kDegraded;
  if (state.record.reason.empty()) {
    state.record.reason = "a far answer was wanted: " + reason;
  }
}

void ParallelPlanner::ObserveFar(const Request& request, const Answer& answer, TimePoint now) {
  if (answer.ok() || answer.bytes_up > 0) {
    policies_.upload->Observe(request.estimated, {answer.bytes_up, answer.total}, now);
  }
  if (answer.ok()) {
    const Detections near = InRegion(request.near, request.rect);
    const Detections far = InRegion(answer.detections, request.rect);
    const Evidence evidence{near, request.rect.size(), {}, request.key};
    policies_.discriminator->Observe(evidence, {near, far, request.upload_probability});
  }
}

void ParallelPlanner::NoteFailure(Node& node, TimePoint now, Actions& actions) {
  if (node.failures > 0 && now < node.retry_at) {
    return;  // failures of what was sent before the node was seen to be ill count once
  }
  ++node.failures;
  Duration pause = options_.first_backoff;
  for (int i = 1; i < node.failures && pause < options_.last_backoff; ++i) {
    pause *= 2;
  }
  node.retry_at = now + std::min(pause, options_.last_backoff);
  actions.push_back(WakeAt{node.retry_at});
}

// Merge, in plan order. [HODE §II]
void ParallelPlanner::Finish(FrameState& state, TimePoint now) {
  std::vector<RegionResult> results;
  FrameRecord& record = state.record;
  TilesRecord& tiles = *record.tiles;
  std::string unseen(static_cast<std::size_t>(state.grid.cells()), ' ');
  std::size_t missing = 0;
  std::string last_error;
  state.result.looked.assign(static_cast<std::size_t>(state.grid.cells()), false);
  for (const RegionState& region : state.regions) {
    const bool answered = region.near_answer >= 0;
    for (const int cell : region.tiled.cells) {
      unseen[static_cast<std::size_t>(cell)] = answered ? ' ' : '!';
      state.result.looked[static_cast<std::size_t>(cell)] = answered;
    }
    if (!answered) {
      ++missing;
      last_error = region.error.empty() ? "no node was ready" : region.error;
      continue;
    }
    state.result.overview |= region.tiled.kind == TiledRegion::Kind::kOverview;
    results.push_back(ResultOf(state, region));
  }
  if (missing > 0) {
    tiles.unseen = unseen;
    record.status =
        missing == state.regions.size() ? FrameStatus::kFailed : FrameStatus::kDegraded;
    record.reason = std::to_string(missing) + " of " + std::to_string(state.regions.size()) +
                    " regions without an answer" +
                    (now >= state.deadline ? " within " + Milliseconds(options_.deadline) : "") +
                    " (last: " + last_error + ")";
  } else if (now >= state.deadline && state.open > 0) {
    record.status = FrameStatus::kDegraded;
    record.reason = "deadline-exceeded: no far answer within " + Milliseconds(options_.deadline);
  }
  const Merged merged = options_.merge == TileMerge::kIou
                            ? MergeByIou(results, options_.merging)
                            : MergeByBorder(state.grid.frame, results, options_.merging);
  for (std::size_t i = 0; i < merged.detections.size(); ++i) {
    const Detection& detection = merged.detections[i];
    if (detection.score >= options_.score_threshold) {
      record.detections.push_back(detection);
      record.provenance.push_back(LinkId{static_cast<std::uint32_t>(merged.sources[i])});
    }
    if (detection.score >= options_.person_score &&
        (options_.person < 0 || detection.label == options_.person)) {
      state.result.people.push_back(detection);
    }
  }
  state.result.frame = record.frame;
  state.result.captured = state.moment;
  state.finished = true;
  state.held = 0;
  if (!state.regions.empty()) {
    policies_.scheduler->Observe(record.frame, now - state.arrived, NodeStates(now), now);
  }
}

RegionResult ParallelPlanner::ResultOf(const FrameState& state, const RegionState& region) const {
  const auto& answers = state.record.answers;
  const Answer& near = answers[static_cast<std::size_t>(region.near_answer)];
  const auto link = [](const Answer& answer) { return static_cast<int>(ToNumber(answer.link)); };
  if (region.far_answer < 0) {
    return {region.tiled, near.detections, link(near)};
  }
  const Answer& far = answers[static_cast<std::size_t>(region.far_answer)];
  return {region.tiled,
          options_.fusion.active() ? Fuse(near.detections, far.detections, options_.fusion).detections
                                   : far.detections,
          link(far)};
}

// Results reach the filter in the order of frames, whichever ended first.
void ParallelPlanner::EmitFinished(TimePoint now, Actions& actions) {
  while (!frames_.empty() && frames_.begin()->first == FrameId{next_due_} &&
         frames_.begin()->second.finished) {
    FrameState& state = frames_.begin()->second;
    if (state.planned) {
      if (state.grid == grid_) {
        Learn(state);
      }
      if (auto training = policies_.filter->TakeTraining()) {
        actions.push_back(Train{std::move(training)});
      }
    }
    state.record.total = now - state.captured;
    actions.push_back(Emit{std::move(state.record)});
    frames_.erase(frames_.begin());
    ++next_due_;
  }
}

void ParallelPlanner::Learn(FrameState& state) {
  policies_.filter->Observe(state.result);
  const Padding padding = padding_.Current(state.grid);
  // Whoever reaches over his cell's edge by more than the padding may be whole in no tile.
  const bool large = std::any_of(
      state.result.people.begin(), state.result.people.end(), [&](const Detection& person) {
        const auto row = static_cast<std::size_t>(state.grid.CellOf(person.box) / state.grid.columns);
        const Size around = padding.by_row[row];
        return person.box.width() > static_cast<float>(2 * around.width) ||
               person.box.height() > static_cast<float>(2 * around.height);
      });
  results_without_large_ = large ? 0 : results_without_large_ + 1;
  padding_.Observe(state.grid, state.result.people);
  if (state.native) {
    scale_.Observe(state.grid, state.result.people);
  }
  last_people_ = std::move(state.result.people);
}

ParallelPlanner::Node* ParallelPlanner::Find(LinkId link) {
  const auto node = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& candidate) {
    return candidate.description.link == link;
  });
  return node == nodes_.end() ? nullptr : &*node;
}

ParallelPlanner::Node* ParallelPlanner::FarNode() {
  const auto node = std::find_if(nodes_.begin(), nodes_.end(),
                                 [](const Node& candidate) { return candidate.description.far; });
  return node == nodes_.end() ? nullptr : &*node;
}

const Detections& ParallelPlanner::NearDetections(const FrameState& state,
                                                  const RegionState& region) const {
  return state.record.answers[static_cast<std::size_t>(region.near_answer)].detections;
}

std::uint64_t ParallelPlanner::KeyOf(const FrameState& state, std::size_t region) const {
  return MixBits(HashText(state.record.name) ^ region);
}

UploadCost ParallelPlanner::CostOf(const FrameState& state, const TiledRegion& region,
                                   const Node& node) const {
  const double per_px =
      state.upload_bytes > 0
          ? static_cast<double>(state.upload_bytes) / static_cast<double>(state.grid.frame.area())
          : options_.bytes_per_px;
  const double bytes = per_px * static_cast<double>(region.pixels());
  UploadCost cost{static_cast<std::int64_t>(bytes), node.round_trip};
  if (node.bytes_per_second > 0) {
    cost.time += FromMilliseconds(1e3 * bytes / node.bytes_per_second);
  }
  return cost;
}

bool ParallelPlanner::IsOut(const RegionState& region) {
  return region.stage == Stage::kOut || region.stage == Stage::kFar;
}

Detections ParallelPlanner::InRegion(const Detections& in_frame, const Rect& rect) {
  Detections in_region = in_frame;
  for (Detection& detection : in_region) {
    detection.box = ClipTo(Translate(detection.box, -static_cast<float>(rect.x),
                                     -static_cast<float>(rect.y)),
                           rect.size());
  }
  return in_region;
}

}  // namespace nearfar
