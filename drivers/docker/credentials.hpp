// SPDX-License-Identifier: Apache-2.0
// What Docker's configuration file knows of a registry. Secrets stay in the header's value: nobody logs it.
#pragma once

#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth::drivers::docker {

struct Credentials {
  std::string header;  // of X-Registry-Auth; empty: none are kept
  std::string helper;  // the program that keeps them, which is not asked here
};

// $DOCKER_CONFIG/config.json, else ~/.docker/config.json.
[[nodiscard]] std::string docker_config_file();

// What `config` (the file's text) says of `registry` as in a Reference. Error "bad_docker_config", without any of it.
[[nodiscard]] Expected<Credentials> find_credentials(std::string_view config, const std::string& registry);

// The same of the file; one that is not there says nothing. Blocking.
[[nodiscard]] Expected<Credentials> read_credentials(const std::string& file, const std::string& registry);

}  // namespace berth::drivers::docker
