#pragma once

#include <memory>
#include <string>

#include "core/expected.h"
#include "core/labels.h"
#include "live/ports.h"

namespace nearfar {

/// What is drawn into pictures and videos.
struct DrawingOptions {
  float min_score = 0.5F;  ///< boxes scored lower are not drawn; [0, 1]. [SmallBig §V.A] counts so
  int jpeg_quality = 90;   ///< 1 to 100

  friend bool operator==(const DrawingOptions&, const DrawingOptions&) = default;
};

/// One line for people: who answered and why, e.g. "easy, kept near: no candidate box".
std::string CaptionOf(const FrameRecord& record);

/// Writes every readable picture with its boxes as FOLDER/NAME.jpg.
/// Errors: kIo when the folder cannot be made.
Expected<std::unique_ptr<Sink>> OpenPictureFolder(const std::string& folder,
                                                  const DrawingOptions& options);

/// Writes the pictures with their boxes as a video (MPEG-4, by the path's extension). Its size is
/// the first picture's; others are fitted into it. End checks that the file can be read back, since
/// the encoder does not tell of a full disk.
/// @param frames_per_second  > 0
/// Errors: kIo when the path cannot be written, kUnsupported for an extension without encoder, both
/// at the first picture.
std::unique_ptr<Sink> MakeVideoSink(const std::string& path, double frames_per_second,
                                    const DrawingOptions& options);

}  // namespace nearfar
