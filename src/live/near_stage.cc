#include "live/near_stage.h"

#include <algorithm>
#include <utility>

namespace nearfar {

/// One picture on its way through the three steps. Shared by the steps, which follow each other on
/// different threads.
struct NearStage::Job {
  Infer infer;
  std::shared_ptr<const Frame> frame;
  std::function<void(Answer)> done;
  TimePoint start;
  Duration engine{};
  Duration work{};  ///< all three steps, without waiting
  std::unique_ptr<DetectorPass> pass;

  void Finish(const Detector& detector, TimePoint now, Expected<DetectorAnswer> result,
              const LabelMap& labels) {
    Answer answer;
    answer.request = infer.request;
    answer.region = infer.region;
    answer.node = "near";
    answer.model = detector.identity().name;
    answer.model_version = detector.identity().version;
    answer.total = now - start;
    answer.compute = engine;
    answer.queued = std::max(Duration::zero(), answer.total - work);
    if (result) {
      answer.detections = std::move(result->detections);
      labels.Apply(answer.detections);
    } else {
      answer.error_code = ToString(result.error().code);
      answer.error = result.error().message;
    }
    pass.reset();
    frame.reset();
    done(std::move(answer));
  }
};

NearStage::NearStage(Detector& detector, LabelMap labels, WorkQueue& helper, int threads,
                     const Clock& clock)
    : detector_(detector),
      labels_(std::move(labels)),
      helper_(helper),
      clock_(clock),
      engine_(threads) {}

void NearStage::Detect(const Infer& infer, std::shared_ptr<const Frame> frame,
                       std::function<void(Answer)> done) {
  auto job = std::make_shared<Job>();
  job->infer = infer;
  job->frame = std::move(frame);
  job->done = std::move(done);
  job->start = clock_.Now();

  const auto decode = [this, job] {
    const TimePoint begin = clock_.Now();
    auto answer = job->pass->Decode();
    const TimePoint end = clock_.Now();
    job->work += end - begin;
    job->Finish(detector_, end, std::move(answer), labels_);
  };
  const auto run = [this, job, decode] {
    const TimePoint begin = clock_.Now();
    const auto inferred = job->pass->Infer();
    const TimePoint end = clock_.Now();
    job->engine = end - begin;
    job->work += job->engine;
    if (!inferred) {
      job->Finish(detector_, end, tl::unexpected(inferred.error()), labels_);
      return;
    }
    helper_.Add(decode);
  };
  helper_.Add([this, job, run] {
    const TimePoint begin = clock_.Now();
    const Rect& rect = job->infer.rect;
    auto pass = detector_.Prepare(Crop(job->frame->pixels.view(), rect), rect.x, rect.y);
    const TimePoint end = clock_.Now();
    job->work += end - begin;
    if (!pass) {
      job->Finish(detector_, end, tl::unexpected(pass.error()), labels_);
      return;
    }
    job->pass = std::move(*pass);
    engine_.Add(run);
  });
}

}  // namespace nearfar
