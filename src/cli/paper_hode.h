#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace nearfar::cli {

/// `nearfar paper hode`: Figures 2, 3 and 8 to 13 of the second paper and its overhead, made again.
std::function<int()> SetUpPaperHode(CLI::App& app);

}  // namespace nearfar::cli
