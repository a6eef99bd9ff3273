// rooms: mcp
#include "mcp/legacy_sse.h"
#include "mcp/sse.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace mcp_oauth;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<sse_event> parse(std::string_view stream, std::size_t piece_size) {
  sse_parser parser;
  std::vector<sse_event> all;
  while (!stream.empty()) {
    auto piece = stream.substr(0, piece_size);
    stream.remove_prefix(piece.size());
    auto events = parser.feed(piece);
    require(events.has_value());
    for (auto& e : *events) all.push_back(std::move(e));
  }
  return all;
}

void same(const std::vector<sse_event>& a, const std::vector<sse_event>& b) {
  require(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    require(a[i].type == b[i].type && a[i].data == b[i].data && a[i].id == b[i].id &&
            a[i].retry == b[i].retry);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view stream(reinterpret_cast<const char*>(data), size);
  auto events = parse(stream, size + 1);
  same(events, parse(stream, 1));
  same(events, parse(stream, 3));

  // What is written reads back as it was.
  std::string written;
  for (const auto& e : events) written += write_event(e);
  same(events, parse(written, written.size() + 1));

  // A comment at a boundary changes nothing; the boundary does not depend on the cut.
  std::string commented;
  event_boundary by_one, by_five;
  for (std::size_t i = 0; i < size; ++i) {
    if (i > 0 && by_one.between_events()) commented += sse_keep_alive;
    commented += stream[i];
    by_one.feed(stream.substr(i, 1));
  }
  for (std::size_t i = 0; i < size; i += 5) by_five.feed(stream.substr(i, 5));
  require(by_one.between_events() == by_five.between_events());
  same(events, parse(commented, commented.size() + 1));

  endpoint_rewriter rewriter([](std::string_view uri) -> result<std::string> { return std::string(uri); },
                             size + 1);
  auto rewritten = rewriter.feed(stream);
  require(rewritten.has_value());
  if (rewriter.done()) same(events, parse(*rewritten, rewritten->size() + 1));
  return 0;
}
