#include "cli/link_setting.h"

#include <gmock/gmock.h>

namespace nearfar::cli {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(LinkSetting, ReadsEveryKeyInAnyOrder) {
  const LinkModel whole{.up_bytes_per_second = 2.5e6,
                        .down_bytes_per_second = 125e6,
                        .delay = milliseconds(5),
                        .jitter = microseconds(500),
                        .loss = 0.01,
                        .seed = 7};
  for (const char* text :
       {"up=20Mbit/s down=1Gbit/s delay=5ms jitter=0.5ms loss=1% seed=7",
        " seed=7,loss=0.01,\tjitter=500us,delay=5ms ,down=125MB/s,  up=2500kB/s "}) {
    const auto model = ParseLinkModel(text);
    ASSERT_TRUE(model) << text << ": " << model.error().message;
    EXPECT_EQ(*model, whole) << text;
  }
}

TEST(LinkSetting, LeavesTheRestWithoutLimit) {
  EXPECT_EQ(*ParseLinkModel("delay=0ms"), LinkModel{});
  EXPECT_EQ(ParseLinkModel("down=800bit/s")->down_bytes_per_second, 100);
  EXPECT_EQ(ParseLinkModel("loss=100%")->loss, 1);
  EXPECT_EQ(ParseLinkModel("loss=1")->loss, 1);
}

TEST(LinkSetting, NamesTheWordThatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "a link model is empty"},
      {" , ", "a link model is empty"},
      {"fast", "'fast': write KEY=VALUE"},
      {"up=20", "'up=20': '20' is no rate above 0"},
      {"up=Mbit/s", "'Mbit/s' is no rate"},
      {"up=-1Mbit/s", "'-1Mbit/s' is no rate"},
      {"up=0bit/s", "is no rate above 0"},
      {"up=1bit/s", "up: must be 0 (no limit) or at least 1 byte/s"},
      {"up=20 Mbit/s", "'20' is no rate"},  // a blank ends the word
      {"delay=5", "'delay=5': '5' is no time"},
      {"delay=2min", "delay: must lie between 0 and 1 min"},
      {"loss=2", "'loss=2': write a share"},
      {"loss=101%", "'loss=101%': write a share"},
      {"loss=", "'loss=': write a share"},
      {"seed=-1", "'seed=-1': write a whole number"},
      {"seed=1.5", "write a whole number"},
      {"latency=5ms", "'latency=5ms': there is no such key; there are up, down"},
      {"delay=5ms delay=6ms", "'delay=6ms': delay is given twice"},
  };
  for (const auto& [text, message] : cases) {
    const auto model = ParseLinkModel(text);
    ASSERT_FALSE(model) << text;
    EXPECT_EQ(model.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(model.error().message, HasSubstr(message));
  }
}

}  // namespace
}  // namespace nearfar::cli
