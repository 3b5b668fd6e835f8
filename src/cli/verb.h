#pragma once

#include <functional>
#include <span>
#include <string>

namespace CLI {
class App;
}

namespace nearfar::cli {

/// What the exit status of the program tells; `nearfar --help` lists it.
enum ExitCode : int {
  kDone = 0,          ///< everything asked for was done
  kSomeFailed = 1,    ///< finished, but some images could not be read or gave no result
  kUsage = 2,         ///< wrong flags or configuration; nothing was started
  kCannot = 3,        ///< an input, model or peer cannot be used; nothing or only a part was done
  kInterrupted = 130  ///< stopped by Ctrl-C; what was done is kept
};

/// One verb of the program: `nearfar NAME ...`.
struct Verb {
  const char* name;
  const char* summary;  ///< one line for the list of verbs
  /// Shown at the end of its help: commands, one a line, that work as they stand in a built
  /// checkout and write only into the current folder. "nearfar" stands for the name the program was
  /// called by.
  const char* example;
  /// Adds options to `app` and returns what runs when they are parsed; the return value is the exit
  /// status. Results go to stdout; everything said goes to stderr.
  std::function<int()> (*set_up)(CLI::App& app);
};

/// All verbs in the order of the help text. Each stands in a file verb_<name>.cc.
std::span<const Verb> Verbs();

}  // namespace nearfar::cli
