// SPDX-License-Identifier: Apache-2.0
#include "berth/error.hpp"

#include <cstring>

namespace berth {

Error errno_error(std::string_view what, int error_number) {
  // Not strerror: it may write to a buffer that all threads share.
  const char* text = strerrordesc_np(error_number);
  return Error{"system", std::string(what) + ": " + (text ? text : "error " + std::to_string(error_number)), {}};
}

tl::unexpected<Error> fail_errno(std::string_view what, int error_number) {
  return tl::unexpected<Error>(errno_error(what, error_number));
}

}  // namespace berth
