// rooms: mcp
// First line: which names stay. Whatever the rest is, and however it is cut: the same comes out, nothing that
// was to go is in it, and what is kept back is kept back for good.
#include "base/json.h"
#include "mcp/folded.h"
#include "mcp/list_filter.h"
#include "mcp/sse.h"
#include "require.h"

#include <string>
#include <string_view>

namespace {

using namespace mcp_oauth;

constexpr std::size_t most = 4096;

// Even ones stay; none of those whose length is odd.
const keep_listed even = [](listed, std::string_view name) { return name.size() % 2 == 0; };

struct outcome {
  bool good;
  std::string out;
};

template <class Filter>
outcome run(std::string_view text, std::size_t piece_size) {
  Filter filter(even, most);
  outcome o{true, {}};
  while (!text.empty()) {
    auto piece = text.substr(0, piece_size);
    text.remove_prefix(piece.size());
    auto fed = filter.feed(piece, o.out);
    if (!fed) {
      std::string more;
      require(!filter.feed("{}", more) && more.empty());
      return {false, std::move(o.out)};
    }
  }
  if constexpr (requires { filter.whole(); }) o.good = filter.whole();
  return o;
}

std::string_view view(json::string_view s) { return {s.data(), s.size()}; }

// No list of the message holds a name that was to go.
void require_filtered(const json::value& value) {
  if (value.is_array()) {
    for (const auto& one : value.as_array()) require_filtered(one);
    return;
  }
  if (!value.is_object()) return;
  for (const auto& member : value.as_object()) {
    if (!equal_folded("result", view(member.key())) || !member.value().is_object()) continue;
    for (const auto& list : member.value().as_object()) {
      constexpr std::pair<std::string_view, std::string_view> kinds[] = {
          {"tools", "name"}, {"resources", "uri"}, {"resourceTemplates", "uriTemplate"}, {"prompts", "name"}};
      for (const auto& [member_name, item_name] : kinds) {
        if (!equal_folded(member_name, view(list.key())) || !list.value().is_array()) continue;
        for (const auto& item : list.value().as_array()) {
          require(item.is_object());
          for (const auto& field : item.as_object()) {
            if (!equal_folded(item_name, view(field.key()))) continue;
            require(field.value().is_string());
            require(field.value().as_string().size() % 2 == 0);
          }
        }
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = text_of(data, size);
  auto whole = run<list_filter>(text, size + 1);
  for (std::size_t piece : {1U, 3U, 17U}) {
    auto cut = run<list_filter>(text, piece);
    require(cut.good == whole.good);
    if (whole.good) require(cut.out == whole.out);
  }
  if (whole.good) {
    // What came out is strict still, says the same once more, and has nothing in it that was to go.
    auto again = run<list_filter>(whole.out, whole.out.size() + 1);
    require(again.good && again.out == whole.out);
    if (auto read = parse_json(whole.out)) require_filtered(*read);
  }

  auto stream = run<event_list_filter>(text, size + 1);
  for (std::size_t piece : {1U, 4U}) {
    auto cut = run<event_list_filter>(text, piece);
    require(cut.good == stream.good);
    if (stream.good) require(cut.out == stream.out);
  }
  sse_parser parser;
  auto events = parser.feed(stream.out);
  require(events.has_value());
  for (const auto& event : *events) {
    auto at = event.data.find_first_not_of(" \t\r\n");
    if (at == std::string::npos || (event.data[at] != '{' && event.data[at] != '[')) continue;
    if (auto read = parse_json(event.data)) require_filtered(*read);
  }
  return 0;
}
