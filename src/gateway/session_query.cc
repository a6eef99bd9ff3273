#include "gateway/session_query.h"

#include "base/form.h"
#include "base/text.h"
#include "gateway/session_binding.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::array<std::string_view, 6> session_names = {"session",      "sessionid", "mcpsession",
                                                           "mcpsessionid", "sid",       "connectionid"};

std::string folded(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, name.find('['))) {
    if (c != '_' && c != '-' && c != '.' && c != ' ' && c != '+') out += to_lower(c);
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_id_character(char c) {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '_' || c == '.';
}

bool looks_like_id(std::string_view segment) {
  if (segment.empty()) return false;
  if (std::all_of(segment.begin(), segment.end(), is_digit)) return true;
  return segment.size() >= 16 && std::all_of(segment.begin(), segment.end(), is_id_character) &&
         std::any_of(segment.begin(), segment.end(), is_digit);
}

}  // namespace

result<session_query> read_session_query(std::string_view query) {
  session_query seen;
  int sessions = 0, bindings = 0;
  for (auto left = query; !left.empty();) {
    auto end = std::min(left.find('&'), left.size());
    auto whole = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    bool ours = false;
    for (auto parts = whole; !parts.empty();) {
      auto stop = std::min(parts.find(';'), parts.size());
      auto part = parts.substr(0, stop);
      parts.remove_prefix(std::min(stop + 1, parts.size()));
      auto raw = part.substr(0, part.find('='));
      auto name = percent_decode(raw);
      if (!name) return fail(errc::parameter_malformed, "a parameter name in the query cannot be decoded");
      auto plain = folded(*name);
      if (std::find(session_names.begin(), session_names.end(), plain) != session_names.end()) ++sessions;
      if (plain != folded(place_binding)) continue;
      if (raw != place_binding || part.size() != whole.size())
        return fail(errc::parameter_malformed, "mop_session is written in another way");
      ++bindings;
      ours = true;
      seen.mac = part.substr(std::min(raw.size() + 1, part.size()));
      // Nothing of the place that it proves may hide in it.
      if (seen.mac.size() != session_binding::mac_size || seen.mac.find('.') != std::string_view::npos)
        return fail(errc::parameter_malformed, "mop_session is not what was given");
    }
    if (ours) continue;
    if (whole.empty()) continue;
    if (!seen.rest.empty()) seen.rest += '&';
    seen.rest += whole;
  }
  if (sessions > 1) return fail(errc::parameter_repeated, "the query names a session more than once");
  if (bindings > 1) return fail(errc::parameter_repeated, "mop_session stands more than once");
  seen.names_session = sessions > 0;
  return seen;
}

bool path_may_name_session(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    auto end = std::min(path.find('/'), path.size());
    auto segment = percent_decode(path.substr(0, end));
    if (!segment || looks_like_id(*segment)) return true;
    path.remove_prefix(end);
  }
  return false;
}

}  // namespace mcp_oauth
