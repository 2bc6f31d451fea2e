// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace berth {
namespace {

TEST(Sha256, OfPiecesIsThatOfTheWhole) {
  Sha256 digest;
  digest.update("a");
  digest.update("");
  digest.update("bc");
  // FIPS 180-2, appendix B.1
  EXPECT_EQ(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest.hex(), sha256_hex(""));
}

}  // namespace
}  // namespace berth
