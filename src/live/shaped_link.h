#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/link_model.h"
#include "live/ports.h"

namespace nearfar {

/// A link behind a modelled network: uploads reach the inner link, and answers the caller, when the
/// model says so. Uploads leave one after the other, in the order of Send; one that is given up
/// before its turn takes no time of the lane. Answers come in the order in which the node gave them.
///
/// An upload whose deadline passes on the way fails as deadline-exceeded at its deadline; what
/// the model never delivers does, too. Failures that arise on this side (deadline-exceeded,
/// cancelled) are told at once; refusals and lost connections come back over the model like answers.
/// `total` of an answer counts from Send, the modelled network included.
///
/// Nothing happens by itself: PassTime does what is due, at the times of the clock that it was given.
/// A LinkPacer calls it in the product, the test in tests. Thread-safe, if the clock is.
class ShapedLink final : public NodeLink {
 public:
  /// `inner` and `clock` must outlive the link. REQUIRES: Validate(model).
  ShapedLink(NodeLink& inner, const LinkModel& model, const Clock& clock);
  /// Answers what is open as cancelled; what the inner link says of it later is dropped.
  ~ShapedLink() override;

  void Send(Upload upload, std::function<void(Answer)> done) override;
  void Cancel(RequestId request) override;
  Upload::Payload payload() const override { return inner_.payload(); }
  std::string node() const override { return inner_.node(); }

  /// Does what is due by now. Not to be called from two threads at the same time.
  void PassTime();
  /// When PassTime has something to do next; nothing: not before another call.
  std::optional<TimePoint> next_wake() const;
  /// Told, from any thread, whenever next_wake may have become earlier. Set before the first Send.
  void OnEarlierWake(std::function<void()> told);

 private:
  struct State;

  NodeLink& inner_;
  const Clock& clock_;
  std::shared_ptr<State> state_;  ///< also held by what the inner link has to answer, which may
                                  ///< come after the end of this object
};

/// A thread that keeps a ShapedLink going in real time, for as long as it lives.
class LinkPacer {
 public:
  /// Both must outlive the pacer; no Send before it is made.
  LinkPacer(ShapedLink& link, const Clock& clock);
  ~LinkPacer();
  LinkPacer(const LinkPacer&) = delete;
  LinkPacer& operator=(const LinkPacer&) = delete;

 private:
  void Keep();

  ShapedLink& link_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool told_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace nearfar
