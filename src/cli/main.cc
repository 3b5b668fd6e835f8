#include <CLI/CLI.hpp>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>

#include "cli/report.h"
#include "cli/verb.h"

namespace {

constexpr const char* kFooter =
    "Exit status: 0 done; 1 finished, but some images failed; 2 wrong flags or configuration;\n"
    "3 an input, model or peer cannot be used; 130 stopped by Ctrl-C (what was done is kept).\n"
    "Results go to stdout, everything said to stderr. `nearfar VERB --help` has an example each.";

/// Ranges let "nan" through: it is neither below nor above.
std::string RefuseNan(const std::string& text) {
  const double number = std::strtod(text.c_str(), nullptr);
  return std::isfinite(number) ? "" : "'" + text + "' is no finite number";
}

/// The example of a verb as it can be typed where this program was called.
std::string ExampleText(const nearfar::cli::Verb& verb, const std::string& program) {
  std::string text = "Example, in the repository's folder:";
  std::istringstream lines(verb.example);
  for (std::string line; std::getline(lines, line);) {
    text += "\n  " + program + line.substr(line.find(' '));
  }
  return text;
}

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
    sub->footer(ExampleText(verb, argv[0]));
    sub->final_callback([&run, body = verb.set_up(*sub)] { run = body; });
    for (CLI::Option* option : sub->get_options()) {
      if (option->get_type_name().starts_with("FLOAT")) {
        option->check(RefuseNan);
      }
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  const int status = run();
  if (!std::cout.flush()) {
    Say("cannot write the results to stdout: is its disk full, or its reader gone?");
    return status == kDone ? kCannot : status;
  }
  return status;
}
