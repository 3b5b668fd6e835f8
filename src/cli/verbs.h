#pragma once

#include "cli/verb.h"

// One function for each verb, in the file verb_<name>.cc.

namespace nearfar::cli {

Verb ModelVerb();

}  // namespace nearfar::cli
