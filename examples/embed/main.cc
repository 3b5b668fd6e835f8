// The paper's rule on the boxes of a detector of your own: link nearfar::nearfar and nothing else.
#include <iostream>

#include "core/detection.h"
#include "discriminate/smallbig.h"

int main() {
  // One sure person and something that might be a dog, in a photo of 640 x 480 px.
  const nearfar::Detections raw{{{40, 60, 220, 460}, 0.98F, 0}, {{300, 340, 420, 470}, 0.25F, 1}};
  const nearfar::SmallBig judge({.score_threshold = 0.2, .area_threshold = 0.31});

  const nearfar::Gain gain = judge.Judge({.raw = raw, .image = {640, 480}}, /*explain=*/true);
  std::cout << (gain.difficult ? "difficult" : "easy") << ": " << gain.reason << "\n";
  return 0;
}
