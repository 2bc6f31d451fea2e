// SPDX-License-Identifier: Apache-2.0
// POST /artifacts/read, list and archive.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "berth/client.hpp"
#include "client/engine.hpp"

namespace berth::client {

[[nodiscard]] asio::awaitable<FileAnswer> read_artifact(Engine& engine, SlotPlace place, std::string path,
                                                        ReadOptions options);
[[nodiscard]] asio::awaitable<ListAnswer> list_artifacts(Engine& engine, SlotPlace place, std::string path,
                                                         ListOptions options);
[[nodiscard]] asio::awaitable<ArchiveAnswer> archive_artifacts(Engine& engine, SlotPlace place, std::string path,
                                                               ArchiveOptions options);

}  // namespace berth::client
