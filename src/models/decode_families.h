#pragma once

#include "models/decode.h"

// One function for each family of decoders, each in a file of its own name.

namespace nearfar {

DecoderFamily YoloConcatFamily();   // decode_yolo_concat.cc
DecoderFamily YoloAnchorsFamily();  // decode_yolo_anchors.cc
DecoderFamily DflFamily();          // decode_dfl.cc
DecoderFamily YoloxFamily();        // decode_yolox.cc
DecoderFamily SsdFamily();          // decode_ssd.cc
DecoderFamily FastestDetFamily();   // decode_fastestdet.cc

}  // namespace nearfar
