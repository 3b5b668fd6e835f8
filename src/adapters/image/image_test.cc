#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <turbojpeg.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "adapters/image/annotate.h"
#include "adapters/image/codec.h"
#include "adapters/image/header.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

/// Red left half, blue right half, a white square in the top left corner.
Image TestPicture(Size size) {
  Image image(size);
  cv::Mat mat(size.height, size.width, CV_8UC3, image.data());
  mat.setTo(cv::Scalar(0, 0, 220));
  cv::rectangle(mat, cv::Rect(size.width / 2, 0, size.width / 2, size.height),
                cv::Scalar(220, 0, 0), cv::FILLED);
  cv::rectangle(mat, cv::Rect(0, 0, size.width / 4, size.height / 4), cv::Scalar::all(255),
                cv::FILLED);
  return image;
}

Bytes EncodedAs(const char* extension, const Image& image) {
  const cv::Mat mat(image.size().height, image.size().width, CV_8UC3,
                    const_cast<std::uint8_t*>(image.view().data));
  Bytes bytes;
  EXPECT_TRUE(cv::imencode(extension, mat, bytes));
  return bytes;
}

/// The TIFF structure that says only an orientation.
Bytes OrientationTiff(int orientation) {
  return {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0,
          static_cast<std::uint8_t>(orientation), 0, 0, 0, 0, 0, 0};
}

Bytes WithExif(const Bytes& jpeg, int orientation) {
  const Bytes tiff = OrientationTiff(orientation);
  Bytes out(jpeg.begin(), jpeg.begin() + 2);
  const std::size_t length = 2 + 6 + tiff.size();
  const Bytes head{0xFF, 0xE1, 0, static_cast<std::uint8_t>(length), 'E', 'x', 'i', 'f', 0, 0};
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), tiff.begin(), tiff.end());
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

/// Where the white square of TestPicture lies: 0 top left, 1 top right, 2 bottom left, 3 bottom right.
int WhiteCorner(const Image& image) {
  for (int corner = 0; corner < 4; ++corner) {
    const int x = corner % 2 == 0 ? 3 : image.size().width - 4;
    const int y = corner / 2 == 0 ? 3 : image.size().height - 4;
    const std::uint8_t* pixel = image.view().row(y) + std::ptrdiff_t{3} * x;
    if (pixel[0] > 200 && pixel[1] > 200 && pixel[2] > 200) {
      return corner;
    }
  }
  return -1;
}

TEST(DecodeImage, GivesBlueGreenRedForEveryFormat) {
  const Image picture = TestPicture({64, 48});
  for (const char* extension : {".png", ".bmp", ".webp", ".tiff", ".jpg"}) {
    const auto decoded = DecodeImage(EncodedAs(extension, picture));
    ASSERT_TRUE(decoded) << extension << decoded.error().message;
    EXPECT_EQ(decoded->size(), (Size{64, 48})) << extension;
    const std::uint8_t* left = decoded->view().row(30) + 3 * 10;
    const std::uint8_t* right = decoded->view().row(30) + 3 * 54;
    EXPECT_NEAR(left[2], 220, 12) << extension;  // red
    EXPECT_NEAR(left[0], 0, 12) << extension;
    EXPECT_NEAR(right[0], 220, 12) << extension;  // blue
    EXPECT_NEAR(right[2], 0, 12) << extension;
  }
}

TEST(DecodeImage, TurnsAllEightExifOrientationsUpright) {
  const Bytes jpeg = EncodedAs(".jpg", TestPicture({64, 48}));
  const int corner_of[] = {0, 1, 3, 2, 0, 1, 3, 2};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto decoded = DecodeImage(WithExif(jpeg, orientation));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->size(), orientation >= 5 ? (Size{48, 64}) : (Size{64, 48})) << orientation;
    EXPECT_EQ(WhiteCorner(*decoded), corner_of[orientation - 1]) << orientation;
  }
}

TEST(DecodeImage, TurnsAPictureAsOpenCvDoes) {
  const Bytes jpeg = EncodedAs(".jpg", TestPicture({64, 48}));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Bytes turned = WithExif(jpeg, orientation);
    const auto ours = DecodeImage(turned);
    const cv::Mat theirs = cv::imdecode(turned, cv::IMREAD_COLOR);
    ASSERT_TRUE(ours);
    ASSERT_EQ(ours->size(), (Size{theirs.cols, theirs.rows}));
    EXPECT_EQ(WhiteCorner(*ours), [&] {
      Image image(Size{theirs.cols, theirs.rows});
      theirs.copyTo(cv::Mat(theirs.rows, theirs.cols, CV_8UC3, image.data()));
      return WhiteCorner(image);
    }()) << orientation;
  }
}

TEST(DecodeImage, AcceptsGreyAlphaSixteenBitAndCmyk) {
  Bytes bytes;
  cv::imencode(".png", cv::Mat(8, 9, CV_8UC1, cv::Scalar(77)), bytes);
  auto grey = DecodeImage(bytes);
  ASSERT_TRUE(grey);
  EXPECT_EQ(grey->view().row(0)[0], 77);
  EXPECT_EQ(grey->view().row(0)[2], 77);
  cv::imencode(".png", cv::Mat(8, 9, CV_8UC4, cv::Scalar(1, 2, 3, 4)), bytes);
  EXPECT_EQ(DecodeImage(bytes)->view().row(0)[1], 2);
  cv::imencode(".png", cv::Mat(8, 9, CV_16UC3, cv::Scalar(256, 512, 65535)), bytes);
  EXPECT_EQ(DecodeImage(bytes)->view().row(0)[2], 255);
  cv::imencode(".jpg", cv::Mat(8, 9, CV_8UC1, cv::Scalar(77)), bytes);
  EXPECT_NEAR(DecodeImage(bytes)->view().row(0)[1], 77, 2);
  const Bytes inks(16 * 16 * 4, 255);  // Adobe's inverted inks: no ink, white paper
  unsigned char* out = nullptr;
  unsigned long length = 0;
  tjhandle turbo = tjInitCompress();
  ASSERT_EQ(tjCompress2(turbo, inks.data(), 16, 0, 16, TJPF_CMYK, &out, &length, TJSAMP_444, 90, 0),
            0);
  const auto cmyk = DecodeImage({out, length});
  tjFree(out);
  tjDestroy(turbo);
  ASSERT_TRUE(cmyk) << cmyk.error().message;
  EXPECT_GT(cmyk->view().row(8)[3 * 8 + 1], 250);
}

TEST(DecodeImage, RefusesWhatIsNoPictureInOneLine) {
  const std::string text = "this is a letter, not a photo\n";
  const auto letter = DecodeImage(Bytes(text.begin(), text.end()));
  ASSERT_FALSE(letter);
  EXPECT_EQ(letter.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(letter.error().message, HasSubstr("no picture"));
  EXPECT_THAT(DecodeImage(Bytes{}).error().message, HasSubstr("empty"));
}

TEST(DecodeImage, RefusesEveryTruncation) {
  const Image picture = TestPicture({320, 240});
  for (const char* extension : {".jpg", ".png", ".bmp", ".webp"}) {
    const Bytes whole = EncodedAs(extension, picture);
    for (const double part : {0.02, 0.3, 0.6, 0.9}) {
      const auto length = static_cast<std::ptrdiff_t>(static_cast<double>(whole.size()) * part);
      const auto decoded = DecodeImage(Bytes(whole.begin(), whole.begin() + length));
      ASSERT_FALSE(decoded) << extension << " cut to " << part;
      EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidInput);
      EXPECT_EQ(decoded.error().message.find('\n'), std::string::npos);
    }
  }
}

TEST(DecodeImage, RefusesThirtyThousandSquareFromTheHeaderAlone) {
  Bytes png = EncodedAs(".png", TestPicture({16, 16}));
  const Bytes side{0, 0, 0x75, 0x30};
  std::copy(side.begin(), side.end(), png.begin() + 16);
  std::copy(side.begin(), side.end(), png.begin() + 20);
  const auto decoded = DecodeImage(png);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(decoded.error().message, HasSubstr("30000x30000"));
}

TEST(DecodeImage, TakesExactlyTheLimitAndNotAPixelMore) {
  for (const char* extension : {".png", ".bmp", ".webp", ".tiff", ".jpg"}) {
    const Bytes bytes = EncodedAs(extension, TestPicture({20, 10}));
    EXPECT_TRUE(DecodeImage(bytes, {.max_pixels = 200})) << extension;
    EXPECT_EQ(DecodeImage(bytes, {.max_pixels = 199}).error().code, ErrorCode::kLimitExceeded)
        << extension;
    EXPECT_EQ(DecodeImage(bytes, {.max_bytes = 10}).error().code, ErrorCode::kLimitExceeded);
  }
}

TEST(EncodeJpeg, KeepsAPictureAndTakesACropWithoutCopying) {
  const Image picture = TestPicture({64, 48});
  const auto bytes = EncodeJpeg(Crop(picture.view(), {32, 0, 30, 20}), 90);
  ASSERT_TRUE(bytes);
  const auto decoded = DecodeImage(*bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->size(), (Size{30, 20}));
  EXPECT_NEAR(decoded->view().row(10)[3 * 15], 220, 6);
  EXPECT_FALSE(EncodeJpeg(PixelView{}, 90));
}

TEST(BrennerGradient, IsTheMeanSquaredStepOverTwoPixels) {
  Image image(Size{4, 2});
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 4; ++x) {
      std::memset(image.row(y) + 3 * x, 10 * x, 3);  // grey ramp of 10 a pixel
    }
  }
  EXPECT_DOUBLE_EQ(BrennerGradient(image.view()), 400);
  EXPECT_DOUBLE_EQ(BrennerGradient(Crop(image.view(), {0, 0, 2, 2})), 0);  // no such neighbour
  EXPECT_DOUBLE_EQ(BrennerGradient(PixelView{}), 0);
}

TEST(BrennerGradient, IsLargerForASharpPictureThanForABlurredOne) {
  const Image sharp = TestPicture({64, 48});
  Image blurred(sharp.size());
  cv::Mat to(48, 64, CV_8UC3, blurred.data());
  cv::GaussianBlur(cv::Mat(48, 64, CV_8UC3, const_cast<std::uint8_t*>(sharp.view().data)), to,
                   {9, 9}, 3);
  EXPECT_GT(BrennerGradient(sharp.view()), 2 * BrennerGradient(blurred.view()));
}

TEST(Annotate, DrawsNearInOrangeAndFarInBlueAndLeavesTheRest) {
  Image grey(Size{320, 240});
  std::memset(grey.data(), 90, 320 * 240 * 3);
  const Detections boxes{{{20, 60, 100, 160}, 0.9F, 0}, {{180, 60, 260, 160}, 0.8F, 1}};
  const LabelSpace classes{{"person", "dog"}};
  const std::vector<LinkId> provenance{kNear, LinkId{1}};
  const Image drawn = Annotate(grey.view(), boxes, classes, provenance, "kept near");
  const std::uint8_t* near_edge = drawn.view().row(120) + 3 * 20;
  const std::uint8_t* far_edge = drawn.view().row(120) + 3 * 180;
  EXPECT_GT(near_edge[2], 200);
  EXPECT_LT(near_edge[0], 60);
  EXPECT_GT(far_edge[0], 200);
  EXPECT_LT(far_edge[2], 60);
  EXPECT_EQ(drawn.view().row(20)[3 * 160], 90);
}

TEST(Annotate, StandsBoxesOutsideAndPicturesOfNoSize) {
  const LabelSpace classes{{"person"}};
  EXPECT_TRUE(Annotate(PixelView{}, {}, classes, {}, "x").empty());
  const Image small(Size{3, 3});
  const Detections boxes{{{-50, -50, 900, 900}, 0.9F, 0}, {{1, 1, 1, 1}, 0.1F, 7}};
  EXPECT_EQ(Annotate(small.view(), boxes, classes, {}, "caption").size(), (Size{3, 3}));
}

TEST(ReadFileBytes, NamesTheFileThatIsMissingOrTooLarge) {
  const auto missing = ReadFileBytes("/nonexistent/a.jpg", 1000);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/a.jpg"));
  const std::string path = ::testing::TempDir() + "nearfar_read_file_test";
  std::ofstream(path) << "0123456789";
  EXPECT_EQ(ReadFileBytes(path, 10)->size(), 10U);
  EXPECT_EQ(ReadFileBytes(path, 9).error().code, ErrorCode::kLimitExceeded);
}

TEST(MeasurePixels, TakesTheSizeOfAJpegFileAndElseOfTheJpegThatItMakes) {
  const Image image = TestPicture({64, 48});
  const double brenner = BrennerGradient(image.view());
  const auto jpeg = EncodeJpeg(image.view(), 90).value();
  const std::vector<std::uint8_t> file(1000, 0xFF);  // begins as a JPEG file does
  EXPECT_EQ(MeasurePixels(image.view(), file, {}, 90), (PixelFeatures{brenner, 1000}));
  const auto made = static_cast<std::int64_t>(jpeg.size());
  EXPECT_EQ(MeasurePixels(image.view(), {}, {}, 90), (PixelFeatures{brenner, made}));
  const std::vector<std::uint8_t> png{0x89, 'P', 'N', 'G'};
  EXPECT_EQ(MeasurePixels(image.view(), png, {}, 90), (PixelFeatures{brenner, made}));
  // Unwanted is absent, but for a file's size, which costs nothing.
  EXPECT_EQ(MeasurePixels(image.view(), png, {false, false}, 90), PixelFeatures{});
  EXPECT_EQ(MeasurePixels(image.view(), file, {false, false}, 90), (PixelFeatures{-1, 1000}));
}

}  // namespace
}  // namespace nearfar
