#include "provider/issuer.h"

#include "base/text.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view any_directory = "{tenantid}";
constexpr std::string_view v1_prefix = "https://sts.windows.net/";
constexpr std::string_view version_2 = "/v2.0";
// The directory of personal Microsoft accounts.
constexpr std::string_view personal_accounts = "9188040d-6c67-4c5b-b112-36a304b66dad";

struct entra_issuer {
  std::string_view base;  // up to the directory
  std::string_view directory;
  bool v2 = false;
};

// "https://HOST/DIRECTORY/v2.0", "https://HOST/DIRECTORY" or "https://HOST/DIRECTORY/".
entra_issuer split(std::string_view issuer) {
  entra_issuer e;
  if (issuer.ends_with(version_2)) {
    e.v2 = true;
    issuer.remove_suffix(version_2.size());
  } else if (issuer.ends_with('/')) {
    issuer.remove_suffix(1);
  }
  auto slash = issuer.rfind('/');
  if (slash == std::string_view::npos) return e;
  e.base = issuer.substr(0, slash + 1);
  e.directory = issuer.substr(slash + 1);
  return e;
}

bool may_be_directory(std::string_view configured, std::string_view stated) {
  if (configured == "common" || configured == "organizations") return stated == any_directory;
  if (configured == "consumers") return stated == personal_accounts;
  if (is_guid(configured)) return stated == configured;
  return is_guid(stated);  // configured by a domain of it
}

}  // namespace

bool may_state_issuer(issuer_rule rule, std::string_view configured, std::string_view stated) {
  if (stated == configured) return stated.find(any_directory) == std::string_view::npos;
  if (rule == issuer_rule::exact) return false;
  auto ours = split(configured), theirs = split(stated);
  if (ours.base.empty() || ours.v2 != theirs.v2 || !may_be_directory(ours.directory, theirs.directory)) {
    return false;
  }
  return theirs.base == ours.base || (!ours.v2 && theirs.base == v1_prefix && stated.ends_with('/'));
}

std::string issuer_of_token(std::string_view stated, const json::object& claims) {
  auto at = stated.find(any_directory);
  if (at == std::string_view::npos) return std::string(stated);
  auto directory = text_member(claims, "tid");
  if (!is_guid(directory)) return {};
  std::string issuer(stated);
  return issuer.replace(at, any_directory.size(), directory);
}

bool is_issuer_of_callback(std::string_view stated, std::string_view iss) {
  auto at = stated.find(any_directory);
  if (at == std::string_view::npos) return iss == stated;
  auto head = stated.substr(0, at), tail = stated.substr(at + any_directory.size());
  if (iss == stated) return true;
  return iss.size() == head.size() + 36 + tail.size() && iss.starts_with(head) && iss.ends_with(tail) &&
         is_guid(iss.substr(at, 36));
}

std::string subject_of_token(std::string_view stated, std::string_view subject, const json::object& claims) {
  if (stated.find(any_directory) == std::string_view::npos) return std::string(subject);
  return text_member(claims, "tid") + "/" + std::string(subject);
}

}  // namespace mcp_oauth
