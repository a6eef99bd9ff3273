#include "provider/user_endpoint.h"

#include "base/form.h"
#include "base/json.h"
#include "oauth/endpoint_form.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

result<void> check_status(const http_answer& answer) {
  if (answer.status == 200) return {};
  auto words = "status " + std::to_string(answer.status) + " from the user endpoint";
  bool away = answer.status >= 500 || answer.status == 429;
  return fail(away ? errc::provider_unreachable : errc::provider_refused, words);
}

tl::unexpected<error> invalid(std::string why) {
  return fail(errc::provider_token_invalid, "user endpoint: " + std::move(why));
}

std::string text_or_number(const json::object& o, std::string_view name) {
  const auto* value = o.if_contains(name);
  if (value == nullptr) return {};
  if (value->is_int64()) return std::to_string(value->get_int64());
  if (value->is_uint64()) return std::to_string(value->get_uint64());
  return text_member(o, name);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

void replace(std::string& text, std::string_view name, std::string_view value) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

}  // namespace

http_call user_request(std::string url, const secret& access_token) {
  return {"GET",
          std::move(url),
          {{"Authorization", "Bearer " + std::string(access_token.reveal())}, {"Accept", "application/json"}},
          ""};
}

result<identity> process_user_answer(std::string provider, std::string_view subject_field,
                                     const claim_names& names, const http_answer& answer) {
  auto usable = check_status(answer);
  if (!usable) return tl::unexpected(usable.error());
  if (!is_media_type(answer.fields.only("content-type").value_or(""), "application/json")) {
    return invalid("the answer is not application/json");
  }
  auto claims = parse_json_object(answer.body);
  if (!claims) return invalid("the answer is no JSON object");
  identity who;
  who.provider = std::move(provider);
  who.subject = text_or_number(*claims, subject_field);
  if (!is_subject(who.subject)) {
    return invalid(std::string(subject_field) + " is absent or not 1 to 255 printable ASCII characters");
  }
  read_standard_claims(*claims, who, names);
  return who;
}

result<identity> process_emails_answer(identity who, const http_answer& answer) {
  auto usable = check_status(answer);
  if (!usable) return tl::unexpected(usable.error());
  auto list = parse_json(answer.body);
  if (!list || !list->is_array()) return invalid("the e-mail addresses are no list");
  for (const auto& one : list->get_array()) {
    if (!one.is_object()) continue;
    const auto& o = one.get_object();
    bool primary = false, verified = false;
    read(o, "primary", primary);
    read(o, "verified", verified);
    auto email = text_member(o, "email");
    if (!primary || !verified || email.empty()) continue;
    who.email = std::move(email);
    who.email_verified = true;
    return who;
  }
  who.email_verified = false;
  return who;
}

organization_entry split_organization(std::string_view entry) {
  auto slash = entry.find('/');
  if (slash == std::string_view::npos) return {entry, {}};
  return {entry.substr(0, slash), entry.substr(slash + 1)};
}

bool is_organization_entry(std::string_view text) {
  auto entry = split_organization(text);
  bool has_team = text.find('/') != std::string_view::npos;
  return is_name(entry.organization) && (!has_team || is_name(entry.team));
}

result<bool> process_membership_answer(const http_answer& answer) {
  if (answer.status >= 500 || answer.status == 429) {
    return fail(errc::provider_unreachable,
                "status " + std::to_string(answer.status) + " from the membership endpoint");
  }
  if (answer.status != 200) return false;
  auto body = parse_json_object(answer.body);
  return body && text_member(*body, "state") == "active";
}

std::string membership_path(std::string_view pattern, organization_entry entry, std::string_view login) {
  std::string path(pattern);
  replace(path, "{organization}", percent_encode(entry.organization));
  replace(path, "{team}", percent_encode(entry.team));
  replace(path, "{login}", percent_encode(login));
  return path;
}

}  // namespace mcp_oauth
