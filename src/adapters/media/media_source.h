#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/image/codec.h"
#include "core/clock.h"
#include "core/expected.h"
#include "live/ports.h"

namespace nearfar {

struct MediaOptions {
  ImageLimits limits;      ///< of every picture and video frame
  bool recursive = false;  ///< also look into folders inside folders

  friend bool operator==(const MediaOptions&, const MediaOptions&) = default;
};

/// Pictures from files, folders and lists, and the frames of videos, in the order of the inputs; a
/// folder with a seqinfo.ini is a MOTChallenge sequence and stands for the pictures that this
/// names; within a folder in natural order ("img2" before "img10"). A picture's name is its file's
/// without folder and extension; a video frame's is its number, with the video's name in front
/// where there are other inputs. A name that occurs again gets "~2", "~3", and a remark says so.
class MediaSource : public FrameSource {
 public:
  /// @param inputs  pictures, videos (by extension), folders, or lists: text files named *.txt or
  ///                @FILE with one path a line, taken from the list's folder or else as it stands.
  /// A picture that is missing or broken is an item with its error, later. `clock` must outlive the
  /// source. Errors: kInvalidInput (no inputs, a folder without pictures), kNotFound (a list).
  static Expected<std::unique_ptr<MediaSource>> Open(const std::vector<std::string>& inputs,
                                                     const MediaOptions& options,
                                                     const Clock& clock);

  /// Leaves pictures unread whose name `unwanted` says yes to: their items come, with kCancelled,
  /// for the cost of a look at the name. Video frames are read all the same. To be called before
  /// Next; `unwanted` is called by the thread that calls Next.
  virtual void PassOver(std::function<bool(const std::string& name)> unwanted) = 0;
  /// Frames a second of the first video, or else of the first sequence; 0 when there is none or it
  /// does not say.
  virtual double frames_per_second() const = 0;
  /// What was odd and how it was read: to be printed once.
  virtual const std::vector<std::string>& remarks() const = 0;
};

}  // namespace nearfar
