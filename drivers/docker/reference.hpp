// SPDX-License-Identifier: Apache-2.0
// Names of images: [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST]. Pure.
#pragma once

#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth::drivers::docker {

struct Reference {
  std::string name;      // without tag and digest
  std::string tag;       // "latest" where the text names neither tag nor digest
  std::string digest;    // "sha256:..."; empty: none
  std::string registry;  // "docker.io" where the text names none
};

// Refuses what could mean another path of the engine's API than the image's: "bad_image".
[[nodiscard]] Expected<Reference> parse_reference(std::string_view text);

// An image by its id, which no registry knows.
[[nodiscard]] bool is_image_id(std::string_view text);

}  // namespace berth::drivers::docker
