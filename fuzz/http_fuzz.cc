// rooms: net
// The request and response heads and the chunked coding: what is accepted lies inside its input and reads the
// same however it was cut into pieces.

#include "net/body.h"
#include "net/http_head.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mcp_oauth;
using namespace mcp_oauth::net;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

struct decoded {
  std::string content;
  std::size_t used = 0;
  bool done = false, failed = false;
};

decoded decode(std::string_view bytes, std::size_t step, chunk_extensions extensions) {
  body_decoder decoder(framing::chunked, 0, extensions);
  decoded d;
  while (d.used < bytes.size() && !decoder.done() && !decoder.failed()) {
    net::content_pieces pieces;
    auto piece = bytes.substr(d.used, step);
    d.used += decoder.feed(piece, pieces);
    for (auto p : pieces) {
      require(inside(p, bytes));
      d.content += p;
    }
  }
  d.done = decoder.done();
  d.failed = decoder.failed();
  return d;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto end = find_head_end(input, 0);
  auto head_text = input.substr(0, end.value_or(size));

  request_head request;
  if (parse_request_head(head_text, request)) {
    require(is_token(request.method));
    require(!request.path.empty() && (request.path.front() == '/' || request.path == "*"));
    for (const auto& f : request.fields) {
      require(is_token(f.name) && inside(f.name, head_text) && inside(f.value, head_text));
      require(f.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    }
    require(inside(request.path, head_text) && inside(request.query, head_text) &&
            inside(request.host, head_text));
  }
  response_head response;
  if (parse_response_head(head_text, "POST", response))
    require(response.status >= 100 && response.status <= 599);

  auto rest = end ? input.substr(*end) : input;
  for (auto extensions : {chunk_extensions::refuse, chunk_extensions::skip}) {
    auto whole = decode(rest, rest.size() + 1, extensions);
    auto single = decode(rest, 1, extensions);
    require(whole.done == single.done && whole.failed == single.failed);
    require(whole.content == single.content);
    if (whole.done) require(whole.used == single.used);
  }
  return 0;
}
