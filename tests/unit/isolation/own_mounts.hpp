// SPDX-License-Identifier: Apache-2.0
// A mount table that only this program changes: engines beside it mount and unmount all the time.
#pragma once

#include <cstddef>
#include <optional>

namespace berth::isolation::test {

// How many mounts there are; nothing where the table is not this program's own, as for an ordinary user, whom the
// kernel lets no mount out of a namespace of his.
[[nodiscard]] std::optional<std::size_t> count_own_mounts();

}  // namespace berth::isolation::test
