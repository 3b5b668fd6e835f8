#include <csignal>
#include <functional>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/verb.h"

namespace {

constexpr const char* kFooter =
    "Exit status: 0 done; 1 finished, but some images failed; 2 wrong flags or configuration;\n"
    "3 an input, model or peer cannot be used; 130 stopped by Ctrl-C (what was done is kept).\n"
    "Results go to stdout, everything said to stderr. `nearfar VERB --help` has an example each.";

}  // namespace

int main(int argc, char** argv) {
  using namespace nearfar::cli;
  // A reader that goes away (`nearfar ... | head`) ends the program by a failed write, not a signal.
  std::signal(SIGPIPE, SIG_IGN);

  CLI::App app{"nearfar: object detection by a small model near and a big model far"};
  app.name("nearfar");
  app.set_version_flag("--version", "nearfar " NEARFAR_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  std::function<int()> run;
  for (const Verb& verb : Verbs()) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    sub->footer(std::string("Example:\n  ") + verb.example);
    sub->final_callback([&run, body = verb.set_up(*sub)] { run = body; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  return run();
}
