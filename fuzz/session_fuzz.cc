// rooms: gateway
// Session ids and the queries of MCP 2024-11-05: nobody makes a bound id but we, and what is taken off a
// query is all that is taken off it.

#include "base/form.h"
#include "gateway/session_binding.h"
#include "gateway/session_query.h"
#include "require.h"

#include <string>

using namespace mcp_oauth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using what = session_binding::what;
  static const session_binding binding{secret(std::string(32, 'k'))};
  auto text = text_of(data, size);
  require(!binding.release(what::header, "r", "ada", text));
  if (!text.empty()) {
    auto bound = binding.bind(what::header, "r", "ada", text);
    require(binding.release(what::header, "r", "ada", bound) == text);
    require(!binding.release(what::place, "r", "ada", bound));
    require(!binding.release(what::header, "r", "eve", bound));
    require(!binding.release(what::header, "ra", "da", bound));
    // What stands between resource, subject and id is not for the id to say.
    auto [subject, id] = first_line(text);
    if (!subject.empty() && !id.empty()) {
      auto other = binding.bind(what::header, "r", subject, id);
      require(
          !binding.release(what::header, "r" + std::string(subject.substr(0, 1)), subject.substr(1), other));
    }
  }

  auto query = read_session_query(text);
  if (!query) return 0;
  require(query->rest.size() <= text.size() && query->mac.size() <= text.size());
  auto again = read_session_query(query->rest);
  require(again && again->rest == query->rest && again->mac.empty());
  require(again->names_session == query->names_session);
  // A strict reader finds no binding in the rest, and all the other parameters of before.
  auto before = form::parse(text, 4096), after = form::parse(query->rest, 4096);
  if (!before || !after) return 0;
  require(!after->find(place_binding));
  std::string wanted, left;
  for (const auto& [name, value] : *before) {
    if (name != place_binding) wanted += name + "=" + value + "&";
  }
  for (const auto& [name, value] : *after) left += name + "=" + value + "&";
  require(wanted == left);
  return 0;
}
