// SPDX-License-Identifier: Apache-2.0
#include "drivers/ready_line.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::drivers {

Expected<std::string> boot_of_ready_line(const std::string& line, const std::string& who) {
  const auto parsed = parse_json(line);
  if (!parsed || !parsed->is_object())
    return fail("start_failed", who + " said something that is no ready line: " + line.substr(0, 200));
  const auto ok = parsed->find("ok");
  if (ok != parsed->end() && ok->is_boolean() && ok->get<bool>()) {
    auto boot = json_text_at(*parsed, "boot_id").value_or("");
    if (boot.empty()) return fail("start_failed", who + " gave no boot_id in its ready line");
    return boot;
  }
  const auto error = parsed->find("error");
  if (error == parsed->end() || !error->is_object())
    return fail("start_failed", who + " did not start and gave no reason");
  return fail(json_text_at(*error, "code").value_or(""), json_text_at(*error, "message").value_or(""),
              json_text_at(*error, "hint").value_or(""));
}

}  // namespace berth::drivers
