#include "provider/standard_claims.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

bool says_true(const json::object& claims, std::string_view name) {
  bool value = false;
  if (read(claims, name, value) == member::present) return value;
  auto text = text_member(claims, name);
  if (text == "true") return true;
  std::int64_t number = 0;
  return name == "xms_edov" &&
         (text == "1" || (read(claims, name, number) == member::present && number == 1));
}

// A claim may have dots in its own name; otherwise they lead into objects.
std::vector<std::string> groups_of(const json::object& claims, std::string_view name) {
  auto dot = name.find('.');
  if (dot != std::string_view::npos && !claims.contains(name)) {
    const auto* inner = claims.if_contains(name.substr(0, dot));
    if (inner == nullptr || !inner->is_object()) return {};
    return groups_of(inner->get_object(), name.substr(dot + 1));
  }
  std::vector<std::string> groups;
  if (read(claims, name, groups) == member::present) return groups;
  auto one = text_member(claims, name);
  if (!one.empty()) groups.push_back(std::move(one));
  return groups;
}

}  // namespace

void read_standard_claims(const json::object& claims, identity& who, const claim_names& names) {
  auto text = [&](const std::string& name) { return name.empty() ? "" : text_member(claims, name); };
  who.email = text(names.email);
  who.email_verified = !names.email_verified.empty() && says_true(claims, names.email_verified);
  who.name = text(names.name);
  who.preferred_username = text(names.login);
  if (!names.groups.empty()) who.groups = groups_of(claims, names.groups);
}

bool is_subject(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

}  // namespace mcp_oauth
