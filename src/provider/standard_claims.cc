#include "provider/standard_claims.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

bool says_true(const json::object& claims, std::string_view name) {
  bool value = false;
  return read(claims, name, value) == member::present ? value : text_member(claims, name) == "true";
}

std::vector<std::string> groups_of(const json::object& claims) {
  std::vector<std::string> groups;
  if (read(claims, "groups", groups) == member::present) return groups;
  auto one = text_member(claims, "groups");
  if (!one.empty()) groups.push_back(std::move(one));
  return groups;
}

}  // namespace

void read_standard_claims(const json::object& claims, identity& who) {
  who.email = text_member(claims, "email");
  who.email_verified = says_true(claims, "email_verified");
  who.name = text_member(claims, "name");
  who.preferred_username = text_member(claims, "preferred_username");
  who.groups = groups_of(claims);
}

bool is_subject(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

}  // namespace mcp_oauth
