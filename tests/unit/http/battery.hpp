// SPDX-License-Identifier: Apache-2.0
// The messages of facts/threats.md section 1 and their relatives, as data for the gate, the server and the fuzz seeds.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace berth::http {

struct Message {
  std::string name;  // a test name: letters and digits
  std::string bytes;
  int status;
};
inline void PrintTo(const Message& message, std::ostream* out) {
  *out << message.name;
}

struct NameOfMessage {
  template <typename Info>
  std::string operator()(const Info& info) const {
    return info.param.name;
  }
};

// Heads (and bodies where the framing is the point) that must be refused with `status`.
std::vector<Message> refused_messages();
// Messages that must be served: exactly one request each.
std::vector<Message> accepted_messages();

}  // namespace berth::http
