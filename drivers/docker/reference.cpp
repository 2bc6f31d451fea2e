// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/reference.hpp"

#include <algorithm>

namespace berth::drivers::docker {
namespace {

constexpr std::size_t kMostReference = 512;
constexpr std::size_t kMostTag = 128;
constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::size_t kDigestDigits = 64;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// A part of a path begins and ends with a letter or digit, so neither "." nor ".." is one.
bool is_part(std::string_view part) {
  if (part.empty() || !is_alphanumeric(part.front()) || !is_alphanumeric(part.back())) return false;
  return std::all_of(part.begin(), part.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > kMostTag || !(is_alphanumeric(tag.front()) || tag.front() == '_')) return false;
  return std::all_of(tag.begin(), tag.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_registry(std::string_view part) {
  return part == "localhost" || part.find_first_of(".:") != std::string_view::npos;
}

bool is_host_and_port(std::string_view part) {
  const std::size_t colon = part.find(':');
  if (!is_part(part.substr(0, colon))) return false;
  if (colon == std::string_view::npos) return true;
  const std::string_view port = part.substr(colon + 1);
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view name, std::string& registry) {
  bool first = true;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    const bool host = first && slash != std::string_view::npos && is_registry(part);
    if (host) registry = part == "index.docker.io" ? kDefaultRegistry : part;
    if (host ? !is_host_and_port(part) : !is_part(part)) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
    first = false;
  }
}

tl::unexpected<Error> refuse(std::string_view text) {
  return fail("bad_image", "\"" + std::string(text.substr(0, kMostReference)) + "\" is no name of an image",
              "write it as docker pull takes it: [REGISTRY/]NAME[:TAG][@sha256:DIGEST]");
}

}  // namespace

bool is_image_id(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  return text.starts_with(kPrefix) && text.size() == kPrefix.size() + kDigestDigits &&
         is_hex(text.substr(kPrefix.size()));
}

Expected<Reference> parse_reference(std::string_view text) {
  if (text.size() > kMostReference) return refuse(text);
  Reference reference;
  reference.registry = kDefaultRegistry;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    reference.digest = rest.substr(at + 1);
    if (!is_image_id(reference.digest)) return refuse(text);
    rest = rest.substr(0, at);
  }
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    reference.tag = rest.substr(colon + 1);
    if (!is_tag(reference.tag)) return refuse(text);
    rest = rest.substr(0, colon);
  }
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  if (!is_name(rest, reference.registry)) return refuse(text);
  reference.name = rest;
  return reference;
}

}  // namespace berth::drivers::docker
