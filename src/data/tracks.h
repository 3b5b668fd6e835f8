#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "core/geometry.h"
#include "core/labels.h"
#include "data/truth.h"

namespace nearfar {

/// Someone or something in one frame of a track file.
struct TrackedBox {
  Box box;                 ///< in px of the frame; may reach beyond it
  int track = -1;          ///< who it is over the frames; < 0: nobody said
  float score = 1;         ///< a detection's or tracker's; 1 in annotations
  float visibility = 1;    ///< share of the body that can be seen, in [0, 1]; 1 where nobody said
  int label = 0;           ///< index into the classes
  bool difficult = false;  ///< neither wanted nor punished (see ReadMotTruth)

  friend bool operator==(const TrackedBox&, const TrackedBox&) = default;
};

/// One frame, with or without boxes.
struct TrackFrame {
  long number = 0;     ///< as it stands in the file; of stills: their place, counted from 0
  std::string name;    ///< key shared with truth and recordings: "000017", or the still's file name
                       ///< without folder and extension
  double seconds = 0;  ///< since the first frame; of stills: one apart
  std::vector<TrackedBox> boxes;  ///< in the order of the file

  friend bool operator==(const TrackFrame&, const TrackFrame&) = default;
};

/// The boxes of a whole sequence.
struct Tracks {
  std::string name;                  ///< "MOT17-02", "gates_video2"
  Size frame;                        ///< area > 0
  double fps = 0;                    ///< of `frames`; 0: stills
  LabelSpace classes;                ///< label 0 is `person`
  std::vector<TrackFrame> frames;    ///< by rising number, without gaps; empty ones are frames too
  std::vector<std::string> remarks;  ///< what was left out, derived or odd: to be printed once

  friend bool operator==(const Tracks&, const Tracks&) = default;
};

/// The forms of track files.
enum class TrackForm {
  kAuto,       ///< by name and first row
  kMotGt,      ///< frame,id,left,top,width,height,marked,class[,visibility]
  kMotDet,     ///< frame,id,left,top,width,height[,score,...]: detections (id -1) or a tracker's
               ///< output
  kSdd,        ///< Stanford Drone: track x1 y1 x2 y2 frame lost occluded generated "label"
  kPandaCsv,   ///< image,x,y,w,h or image,score,x,y,w,h with that head line: stills
  kPandaJson,  ///< PANDA's person_bbox_*.json (stills) or tracks.json (with seqinfo.json beside it)
};

/// The form of that name: auto, mot-gt, mot-det, sdd, panda-csv, panda-json. Errors: kInvalidInput.
Expected<TrackForm> ParseTrackForm(std::string_view name);

/// Which of PANDA's three boxes stands for a person.
enum class PandaBody { kFull, kVisible, kHead };

struct TracksOptions {
  TrackForm form = TrackForm::kAuto;
  Size frame;      ///< overrides what the files say; area 0: theirs, else derived
  double fps = 0;  ///< frames per second of the file; 0: what seqinfo says, else the form's own
  double target_fps = 0;  ///< keeps the frames nearest to this rate; 0, or above the file's: all
  bool riders_are_people = false;           ///< SDD: bikers and skaters are `person` too
  bool people_only = false;                 ///< leaves out what is no person
  PandaBody panda_body = PandaBody::kFull;  ///< annotation JSON only
  std::string
      only;  ///< keeps frames whose name begins so: "IMG_2_" is a scene of PANDA. Empty: all

  friend bool operator==(const TracksOptions&, const TracksOptions&) = default;
};

/// Errors: kInvalidInput, naming the option and its value.
Expected<void> Validate(const TracksOptions& options);

/// Reads a track file, plain or gzipped, or a MOTChallenge sequence folder (its gt/gt.txt, else its
/// det/det.txt).
///
/// Rows come in any order. Frame numbers that no row has are frames without boxes: those between
/// the first and the last row, and with a seqinfo.ini (beside the file, in the folder above, or
/// named NAME.seqinfo.ini) all of its frames. MOT corners are counted from 1 and become continuous
/// px as in ReadTruth. MOT gt: see ReadMotTruth for who is wanted. SDD: boxes marked lost are left
/// out, `Pedestrian` is person, other labels are classes of their own; occluded is visibility 0.5.
/// PANDA JSON follows its published documentation and is untested on originals: a person's box is
/// the full body's, visibility the share of the visible body; fake persons, groups and crowds are
/// difficult.
///
/// Errors, with file and line: kNotFound, kIo, kUnsupported (no known form), kInvalidInput (a row
/// that is none, a number that is none; a file without rows and without a seqinfo.ini),
/// kLimitExceeded (frame numbers more than a million apart).
Expected<Tracks> ReadTracks(const std::string& path, const TracksOptions& options = {});

/// The tracks as annotations of pictures named as their frames.
Truth TracksAsTruth(const Tracks& tracks);

}  // namespace nearfar
