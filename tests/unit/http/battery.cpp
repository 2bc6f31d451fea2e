// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/http/battery.hpp"

#include <string_view>

namespace berth::http {
namespace {

using namespace std::string_literals;

std::string get(std::string_view extra) {
  return "GET / HTTP/1.1\r\nHost: berth\r\n" + std::string(extra) + "\r\n";
}

std::string post(std::string_view extra, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: berth\r\n" + std::string(extra) + "\r\n" + std::string(body);
}

std::string line(std::string_view start) {
  return std::string(start) + "\r\nHost: berth\r\n\r\n";
}

std::string repeated(std::string_view field, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += field;
  return text;
}

void add_framing(std::vector<Message>& all) {
  const std::string chunk = "0\r\n\r\n";
  all.push_back({"LengthAndChunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunk), 400});
  all.push_back({"ChunkedAndLength", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunk), 400});
  all.push_back({"GzipAndLength", post("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "hello"), 400});
  all.push_back({"GzipAlone", post("Transfer-Encoding: gzip\r\n", ""), 400});
  all.push_back({"ChunkedThenGzip", post("Transfer-Encoding: chunked, gzip\r\n", chunk), 400});
  all.push_back({"GzipThenChunked", post("Transfer-Encoding: gzip, chunked\r\n", chunk), 400});
  all.push_back({"ChunkedTwiceInOne", post("Transfer-Encoding: chunked, chunked\r\n", chunk), 400});
  all.push_back(
      {"TwoTransferEncodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunk), 400});
  all.push_back({"AlmostChunked", post("Transfer-Encoding: xchunked\r\n", chunk), 400});
  all.push_back({"ChunkedInCapitals", post("Transfer-Encoding: CHUNKED\r\n", chunk), 400});
  all.push_back({"ChunkedQuoted", post("Transfer-Encoding: \"chunked\"\r\n", chunk), 400});
  all.push_back({"ChunkedWithParameter", post("Transfer-Encoding: chunked;q=1\r\n", chunk), 400});
  all.push_back({"IdentityCoding", post("Transfer-Encoding: identity\r\n", ""), 400});
  all.push_back({"EmptyTransferEncoding", post("Transfer-Encoding:\r\n", ""), 400});
  all.push_back(
      {"ChunkedInOldHttp", "POST / HTTP/1.0\r\nHost: berth\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, 400});
}

void add_lengths(std::vector<Message>& all) {
  all.push_back({"DifferentLengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400});
  all.push_back({"EqualLengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400});
  all.push_back({"LengthList", post("Content-Length: 5, 5\r\n", "hello"), 400});
  all.push_back({"LengthWithPlus", post("Content-Length: +5\r\n", "hello"), 400});
  all.push_back({"LengthWithMinus", post("Content-Length: -5\r\n", "hello"), 400});
  all.push_back({"LengthInHex", post("Content-Length: 0x5\r\n", "hello"), 400});
  all.push_back({"LengthWithPoint", post("Content-Length: 5.0\r\n", "hello"), 400});
  all.push_back({"LengthWithBlank", post("Content-Length: 1 2\r\n", "hello"), 400});
  all.push_back({"LengthWithLeadingZero", post("Content-Length: 05\r\n", "hello"), 400});
  all.push_back({"LengthEmpty", post("Content-Length:\r\n", ""), 400});
  all.push_back({"LengthTwoToThe64", post("Content-Length: 18446744073709551616\r\n", ""), 400});
  all.push_back({"LengthTwoToThe63", post("Content-Length: 9223372036854775808\r\n", ""), 400});
  all.push_back({"LengthHuge", post("Content-Length: " + std::string(400, '9') + "\r\n", ""), 400});
}

void add_lines(std::vector<Message>& all) {
  all.push_back({"BareLfEverywhere", "GET / HTTP/1.1\nHost: berth\n\n", 400});
  all.push_back({"BareLfAfterField", "GET / HTTP/1.1\r\nHost: berth\nX: y\r\n\r\n", 400});
  all.push_back({"BareLfAtEnd", "GET / HTTP/1.1\r\nHost: berth\r\n\n", 400});
  all.push_back({"BareCr", "GET / HTTP/1.1\r\nHost: berth\rX: y\r\n\r\n", 400});
  all.push_back({"DoubleCr", "GET / HTTP/1.1\r\r\nHost: berth\r\n\r\n", 400});
  all.push_back({"NulInValue", get("X: a\0b\r\n"s), 400});
  all.push_back({"NulInName", get("X\0: a\r\n"s), 400});
  all.push_back({"NulInTarget", line("GET /a\0b HTTP/1.1"s), 400});
  all.push_back({"EscapeInValue", get("X: a\x1b[2J\r\n"), 400});
  all.push_back({"DeleteInValue", get("X: a\x7f\r\n"), 400});
  all.push_back({"VerticalTab",
                 get("Transfer-Encoding: \x0b"
                     "chunked\r\n"),
                 400});
  all.push_back({"FoldedField", get("X: a\r\n b\r\n"), 400});
  all.push_back({"FoldedWithTab", get("X: a\r\n\tb\r\n"), 400});
  all.push_back({"BlankBeforeFirstField", "GET / HTTP/1.1\r\n Host: berth\r\n\r\n", 400});
  all.push_back({"BlankBeforeColon", get("X : a\r\n"), 400});
  all.push_back({"TabBeforeColon", get("Content-Length\t: 5\r\n"), 400});
  all.push_back({"BlankInName", get("X Y: a\r\n"), 400});
  all.push_back({"NameMissing", get(": a\r\n"), 400});
  all.push_back({"ColonMissing", get("X\r\n"), 400});
  all.push_back({"NameNotToken", get("X(y): a\r\n"), 400});
  all.push_back({"NameNotAscii", get("X\xc3\xa4: a\r\n"), 400});
  all.push_back({"EmptyLineFirst", "\r\nGET / HTTP/1.1\r\nHost: berth\r\n\r\n", 400});
  all.push_back({"TlsHello", "\x16\x03\x01\x02\x00\x01"s, 400});
}

void add_start(std::vector<Message>& all) {
  all.push_back({"AbsoluteForm", line("GET http://other/ HTTP/1.1"), 400});
  all.push_back({"AuthorityForm", line("CONNECT other:80 HTTP/1.1"), 400});
  all.push_back({"AsteriskForm", line("OPTIONS * HTTP/1.1"), 400});
  all.push_back({"TargetWithBlank", line("GET /a b HTTP/1.1"), 400});
  all.push_back({"TargetWithTab", line("GET /a\tb HTTP/1.1"), 400});
  all.push_back({"TargetWithFragment", line("GET /a#b HTTP/1.1"), 400});
  all.push_back({"TargetWithBackslash", line("GET /a\\b HTTP/1.1"), 400});
  all.push_back({"TargetNotAscii", line("GET /\xc3\xa4 HTTP/1.1"), 400});
  all.push_back({"TargetEmpty", line("GET  HTTP/1.1"), 400});
  all.push_back({"MethodEmpty", line(" / HTTP/1.1"), 400});
  all.push_back({"MethodNotToken", line("GE(T / HTTP/1.1"), 400});
  all.push_back({"TwoBlanks", line("GET  / HTTP/1.1"), 400});
  all.push_back({"TabForBlank", line("GET\t/\tHTTP/1.1"), 400});
  all.push_back({"NoVersion", line("GET /"), 400});
  all.push_back({"VersionWithBlankAfter", line("GET / HTTP/1.1 "), 400});
  all.push_back({"VersionLowerCase", line("GET / http/1.1"), 400});
  all.push_back({"VersionLong", line("GET / HTTP/1.10"), 400});
  all.push_back({"VersionHex", line("GET / HTTP/1.x"), 400});
  all.push_back({"VersionTwo", line("GET / HTTP/2.0"), 505});
  all.push_back({"VersionTwoPreface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400});
  all.push_back({"VersionOneTwo", line("GET / HTTP/1.2"), 505});
  all.push_back({"VersionNine", line("GET / HTTP/0.9"), 505});
}

void add_hosts(std::vector<Message>& all) {
  all.push_back({"NoHost", "GET / HTTP/1.1\r\n\r\n", 400});
  all.push_back({"NoHostInOldHttp", "GET / HTTP/1.0\r\n\r\n", 400});
  all.push_back({"TwoHosts", get("Host: other\r\n"), 400});
  all.push_back({"TwoEqualHosts", get("host: berth\r\n"), 400});
  all.push_back({"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400});
  all.push_back({"HostList", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400});
  all.push_back({"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400});
  all.push_back({"HostWithUser", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400});
  all.push_back({"ExpectOther", get("Expect: 200-ok\r\n"), 417});
}

void add_sizes(std::vector<Message>& all) {
  all.push_back({"HeadOver16KiB", get("X: " + std::string(17000, 'a') + "\r\n"), 431});
  all.push_back({"TargetOver16KiB", line("GET /" + std::string(17000, 'a') + " HTTP/1.1"), 431});
  all.push_back({"FieldsOver100", get(repeated("X: y\r\n", 100)), 431});
  all.push_back({"EndlessHead", "GET / HTTP/1.1\r\nHost: berth\r\nX: " + std::string(20000, 'a'), 431});
}

void add_chunks(std::vector<Message>& all) {
  const auto chunked = [](std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); };
  all.push_back({"ChunkSizeNegative", chunked("-1\r\n\r\n"), 400});
  all.push_back({"ChunkSizePlus", chunked("+1\r\na\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkSizePrefixed", chunked("0x1\r\na\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkSizeOverflow", chunked("10000000000000000\r\na"), 400});
  all.push_back({"ChunkSizeTwoToThe63", chunked("8000000000000000\r\na"), 400});
  all.push_back({"ChunkSizeEmpty", chunked("\r\na\r\n"), 400});
  all.push_back({"ChunkSizeThenBlank", chunked("1 \r\na\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkSizeAfterBlank", chunked(" 1\r\na\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkSizeUnderscore", chunked("1_0\r\naaaaaaaaaaaaaaaa\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkLineBareLf", chunked("1\na\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkLineBareCr", chunked("1\ra\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkDataTooLong", chunked("1\r\nab\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkDataEndsInOtherBytes", chunked("1\r\naXY0\r\n\r\n"), 400});
  all.push_back({"ChunkDataBareLf", chunked("1\r\na\n0\r\n\r\n"), 400});
  all.push_back({"ChunkExtensionLong", chunked("1;" + std::string(300, 'e') + "\r\na\r\n0\r\n\r\n"), 400});
  all.push_back({"ChunkExtensionEndless", chunked("1;" + std::string(65536, 'e')), 400});
  all.push_back({"ChunkExtensionNul", chunked("1;\0\r\na\r\n0\r\n\r\n"s), 400});
  all.push_back({"ChunkExtensionBareLf", chunked("1;a\nb\r\na\r\n0\r\n\r\n"), 400});
  all.push_back({"TrailerNotField", chunked("0\r\nGET /hidden HTTP/1.1\r\n\r\n"), 400});
  all.push_back({"TrailerFolded", chunked("0\r\nX: a\r\n b\r\n\r\n"), 400});
  all.push_back({"TrailerBareLf", chunked("0\r\nX: a\n\r\n"), 400});
  all.push_back(
      {"TrailersOver8KiB", chunked("0\r\n" + repeated("X: " + std::string(97, 'a') + "\r\n", 90) + "\r\n"), 431});
  all.push_back({"TrailerLineOver8KiB", chunked("0\r\nX: " + std::string(9000, 'a') + "\r\n\r\n"), 431});
}

}  // namespace

std::vector<Message> refused_messages() {
  std::vector<Message> all;
  add_framing(all);
  add_lengths(all);
  add_lines(all);
  add_start(all);
  add_hosts(all);
  add_sizes(all);
  add_chunks(all);
  return all;
}

std::vector<Message> accepted_messages() {
  const auto chunked = [](std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); };
  return {
      {"Plain", get(""), 200},
      {"OldHttp", "GET / HTTP/1.0\r\nHost: berth\r\nConnection: keep-alive\r\n\r\n", 200},
      {"Query", line("GET /a/b?c=d&e=%20%zz HTTP/1.1"), 200},
      {"OddMethod", line("M-SEARCH /x HTTP/1.1"), 200},
      {"FieldsExactly100", get(repeated("X: y\r\n", 99)), 200},
      {"HeadExactly16KiB", get("X: " + std::string(16384 - 36, 'a') + "\r\n"), 200},
      {"ValueWithTabAndUtf8", get("X:\t a\tb \xc3\xa4\t \r\n"), 200},
      {"ValueEmpty", get("X:\r\n"), 200},
      {"HostWithPort", "GET / HTTP/1.1\r\nhOsT: [::1]:80\r\n\r\n", 200},
      {"Length", post("Content-Length: 5\r\n", "hello"), 200},
      {"LengthZero", post("Content-Length: 0\r\n", ""), 200},
      {"Chunked", chunked("5\r\nhello\r\n0\r\n\r\n"), 200},
      {"ChunkedUpperHex", chunked("A\r\n0123456789\r\n0\r\n\r\n"), 200},
      {"ChunkExtension", chunked("5;a=\"b\"\r\nhello\r\n0;end\r\n\r\n"), 200},
      {"ChunkLeadingZero", chunked("005\r\nhello\r\n000\r\n\r\n"), 200},
      {"Trailer", chunked("5\r\nhello\r\n0\r\nX: y\r\nAuthorization: secret\r\n\r\n"), 200},
  };
}

}  // namespace berth::http
