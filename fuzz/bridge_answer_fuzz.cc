// rooms: bridge
#include "bridge/upstream_answer.h"
#include "require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace mcp_oauth;

struct heard {
  std::vector<std::string> messages;  // whole ones, parts put together
  std::string last_event_id;
  bool operator==(const heard&) const = default;
};

heard listen(upstream_answer::form form, std::string_view body, std::size_t piece, answer_bounds bounds) {
  upstream_answer answer(form, bounds);
  std::vector<answer_part> parts;
  bool good = true;
  for (std::size_t at = 0; at < body.size() && good; at += piece)
    good = answer.feed(body.substr(at, piece), parts).has_value();
  if (good) (void)answer.finish(parts);
  heard all;
  std::string flowing;
  bool open = false;
  for (auto& part : parts) {
    using kind = enum answer_part::kind;
    require(part.text.find('\n') == std::string::npos || part.kind == kind::event ||
            part.kind == kind::unclear || part.kind == kind::broken);
    switch (part.kind) {
      case kind::begin:
        require(!open);
        open = true;
        flowing = part.text;
        break;
      case kind::more:
        require(open);
        flowing += part.text;
        break;
      case kind::end:
        require(open);
        open = false;
        all.messages.push_back(flowing + part.text);
        break;
      case kind::broken:
        require(open);
        open = false;
        break;
      case kind::message:
        require(!open);
        all.messages.push_back(part.text);
        break;
      default: break;
    }
  }
  require(!open || !good || form == upstream_answer::form::json);
  for (auto& message : all.messages) {
    require(scan_message(message).has_value());
    // Blanks before it may go or stay.
    message.erase(0, std::min(message.find_first_not_of(" \t"), message.size()));
  }
  all.last_event_id = answer.last_event_id();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  for (auto form : {upstream_answer::form::events, upstream_answer::form::json}) {
    auto whole = listen(form, body, size + 1, {});
    require(whole == listen(form, body, 1, {}));
    require(whole == listen(form, body, 7, {}));
    // What goes out in parts is what goes out at once.
    require(whole == listen(form, body, 5, {16, true}));
  }
  return 0;
}
