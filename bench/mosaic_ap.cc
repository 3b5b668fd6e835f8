// What tiles cost or gain in accuracy on real pixels: average precision of persons of several
// recordings over the same pictures, beside the first one, with paired 95 % intervals over people.
// bench/mosaic_ap.sh makes the recordings and calls it.
//
//   mosaic_ap TRUTH RECORDING... [--draws N] [--seed S] [--score FLOOR]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "data/read_truth.h"
#include "data/recording.h"
#include "eval/alignment.h"
#include "eval/people.h"

namespace nearfar {
namespace {

int Complain(const std::string& what) {
  std::fprintf(stderr, "mosaic_ap: %s\n", what.c_str());
  return 2;
}

int Run(const std::vector<std::string>& arguments) {
  BootstrapOptions bootstrap{.draws = 2000, .seed = 1};
  float floor = 0;
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool has_value = i + 1 < arguments.size();
    if (arguments[i] == "--draws" && has_value) {
      bootstrap.draws = std::atoi(arguments[++i].c_str());
    } else if (arguments[i] == "--seed" && has_value) {
      bootstrap.seed = std::strtoull(arguments[++i].c_str(), nullptr, 10);
    } else if (arguments[i] == "--score" && has_value) {
      floor = std::strtof(arguments[++i].c_str(), nullptr);
    } else {
      paths.push_back(arguments[i]);
    }
  }
  if (paths.size() < 2 || bootstrap.draws < 0) {
    return Complain("usage: mosaic_ap TRUTH RECORDING... [--draws N] [--seed S] [--score FLOOR]");
  }
  const Expected<Truth> truth = ReadTruth(paths[0]);
  if (!truth) {
    return Complain(truth.error().message);
  }
  std::vector<DetectionSet> sources;
  for (std::size_t p = 1; p < paths.size(); ++p) {
    Expected<Recording> recording = ReadRecording(paths[p]);
    if (!recording) {
      return Complain(recording.error().message);
    }
    for (RecordedFrame& frame : recording->frames) {
      std::erase_if(frame.detections, [&](const Detection& d) { return d.score < floor; });
    }
    Expected<DetectionSet> boxes =
        BoxesOf(*recording, std::filesystem::path(paths[p]).stem().string());
    if (!boxes) {
      return Complain(boxes.error().message);
    }
    sources.push_back(*std::move(boxes));
  }
  const std::vector<std::string> only{"person"};
  const Expected<AlignedSet> set = Align(*truth, sources, Synonyms::Default(), only);
  if (!set) {
    return Complain(set.error().message);
  }
  for (const std::string& remark : set->remarks) {
    std::fprintf(stderr, "mosaic_ap: %s\n", remark.c_str());
  }
  std::vector<MatchTable> tables;
  for (const std::vector<Detections>& detections : set->detections) {
    tables.push_back(MatchByPerson(set->images, detections, 0));
  }
  std::size_t wanted = 0;
  std::size_t people = 0;
  for (const std::uint32_t of_person : tables[0].classes[0].wanted) {
    wanted += of_person;
    people += of_person > 0 ? 1 : 0;
  }
  if (wanted == 0) {
    return Complain("the truth wants no person");
  }
  const std::vector<PeopleStanding> standings = ComparePeople(tables, bootstrap);
  std::printf("%zu pictures, %zu persons of %zu people; AP at IoU 0.5 in %%, boxes scored >= %g\n",
              set->images.size(), wanted, people, static_cast<double>(floor));
  std::printf("95 %% intervals over people, %d draws, seed %llu\n", bootstrap.draws,
              static_cast<unsigned long long>(bootstrap.seed));
  std::size_t width = 0;
  for (std::size_t p = 1; p < paths.size(); ++p) {
    width = std::max(width, sources[p - 1].title.size());
  }
  for (std::size_t s = 0; s < standings.size(); ++s) {
    const PeopleStanding& row = standings[s];
    std::printf("%-*s  %5.1f [%5.1f, %5.1f]  %+5.1f [%+5.1f, %+5.1f]\n", static_cast<int>(width),
                sources[s].title.c_str(), 100 * row.ap, 100 * row.interval.low,
                100 * row.interval.high, 100 * row.minus_first, 100 * row.minus_first_interval.low,
                100 * row.minus_first_interval.high);
  }
  return 0;
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) { return nearfar::Run({argv + 1, argv + argc}); }
