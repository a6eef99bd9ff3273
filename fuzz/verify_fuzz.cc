// rooms: gateway
// The first line is the address that a proxy asks at, the second method and host, the rest header lines: a
// request that is taken to be meant is said by all that there is, and is none that two servers could read
// differently.

#include "base/text.h"
#include "gateway/original_request.h"
#include "gateway/route.h"
#include "require.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace mcp_oauth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto [address, rest] = first_line(text_of(data, size));
  auto [who, lines] = first_line(rest);
  std::vector<field> fields;
  while (!lines.empty() && fields.size() < 100) {
    auto [line, others] = first_line(lines);
    lines = others;
    auto colon = line.find(':');
    if (colon != std::string_view::npos && colon > 0)
      fields.push_back({line.substr(0, colon), trim(line.substr(colon + 1))});
  }
  auto question = std::min(address.find('?'), address.size());
  auto blank = std::min(who.find(' '), who.size());
  verify_request asked{who.substr(0, blank), address.substr(0, question),
                       address.substr(std::min(question + 1, address.size())),
                       who.substr(std::min(blank + 1, who.size())), fields};
  if (!is_verify_path(asked.path)) asked.path = verify_path;
  auto options = verify_options_of(asked);
  if (options && asked.path != verify_path)
    require(options->upstream.empty() && options->resource.empty() && !options->for_nginx);
  if (auto* claimed = find_claimed_identity(fields, {})) require(!claimed->name.empty());

  auto meant = original_request_of(asked);
  if (!meant) return 0;
  require(is_plain_path(meant->path) && !is_verify_path(meant->path));
  require(!meant->method.empty() && !meant->host.empty());
  auto uri = meant->path;
  for (const auto& f : fields) {
    auto name = to_lower(f.name);
    if (name == "x-original-method" || name == "x-forwarded-method") require(f.value == meant->method);
    if (name == "x-original-uri" || name == "x-forwarded-uri")
      require(f.value == uri + (f.value.size() > uri.size() ? "?" + meant->query : ""));
    require(name != "x_original_uri" && name != "x_forwarded_uri" && name != "x-forwarded_method");
    // Said twice, another reader may take the other one.
    if (name == "x-original-uri" || name == "x-forwarded-host") {
      auto twice = fields;
      twice.push_back(f);
      auto again = asked;
      again.fields = twice;
      require(!original_request_of(again));
    }
  }
  return 0;
}
