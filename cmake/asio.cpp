// SPDX-License-Identifier: Apache-2.0
// What is not a template of Asio, compiled once instead of in every file that includes it.
#include <boost/asio/impl/src.hpp>
