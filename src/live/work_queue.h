#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nearfar {

/// Threads that do tasks in the order in which they come. The queue has no bound of its own: whoever
/// adds tasks bounds the frames in flight, and each frame has a fixed number of tasks. Thread-safe.
class WorkQueue {
 public:
  /// @param threads  >= 1; with one thread, tasks never overlap.
  explicit WorkQueue(int threads);
  /// Does what is still queued, then ends the threads.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  void Add(std::function<void()> task);

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace nearfar
