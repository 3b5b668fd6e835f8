#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// A program that a test starts and ends, with its stdout at hand; stderr goes where the test's
/// goes. The destructor kills it.
class ChildProcess {
 public:
  explicit ChildProcess(std::vector<std::string> command, const std::string& folder = ".") {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return;
    }
    std::vector<char*> arguments;
    for (std::string& argument : command) {
      arguments.push_back(argument.data());
    }
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      if (chdir(folder.c_str()) == 0 && dup2(ends[1], STDOUT_FILENO) >= 0) {
        execv(arguments[0], arguments.data());
      }
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~ChildProcess() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(output_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// The next line of its stdout; nothing when it says none in time or has ended.
  std::optional<std::string> ReadLine(std::chrono::seconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
        std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      pollfd at{output_, POLLIN, 0};
      char bytes[4096];
      if (left.count() <= 0 || poll(&at, 1, static_cast<int>(left.count())) <= 0) {
        return std::nullopt;
      }
      const ssize_t n = read(output_, bytes, sizeof bytes);
      if (n <= 0) {
        return std::nullopt;
      }
      text_.append(bytes, static_cast<std::size_t>(n));
    }
  }

  void Signal(int signal) const {
    if (pid_ > 0) {
      kill(pid_, signal);
    }
  }

  /// Its exit status once it has ended (128 + signal when one killed it); nothing when it has not
  /// in time.
  std::optional<int> Wait(std::chrono::seconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (pid_ > 0 && std::chrono::steady_clock::now() < until) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      poll(nullptr, 0, 10);
    }
    return std::nullopt;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
};

}  // namespace nearfar
