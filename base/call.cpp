// SPDX-License-Identifier: Apache-2.0
#include "berth/call.hpp"

#include "base/names.hpp"

namespace berth {
namespace {

constexpr EnumNames<Cause, 13> kCauses{{
    {Cause::exit, "exit"},
    {Cause::signal, "signal"},
    {Cause::timeout, "timeout"},
    {Cause::memory, "memory"},
    {Cause::disk, "disk"},
    {Cause::output_limit, "output_limit"},
    {Cause::cancelled, "cancelled"},
    {Cause::rejected, "rejected"},
    {Cause::isolation, "isolation"},
    {Cause::protocol, "protocol"},
    {Cause::slot_lost, "slot_lost"},
    {Cause::container_lost, "container_lost"},
    {Cause::transport, "transport"},
}};

}  // namespace

std::string_view to_string(Cause cause) {
  return name_of(kCauses, cause);
}
std::optional<Cause> cause_from_string(std::string_view text) {
  return value_of(kCauses, text);
}

}  // namespace berth
