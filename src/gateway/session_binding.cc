#include "gateway/session_binding.h"

#include "base/base64url.h"
#include "jose/digest.h"

namespace mcp_oauth {
namespace {
constexpr std::size_t mac_bytes = 16;
}  // namespace

std::string session_binding::mac(what kind, std::string_view resource, std::string_view subject,
                                 std::string_view id) const {
  // Lengths in front: no two of them make one text.
  std::string text = {static_cast<char>(kind), ':'};
  text += std::to_string(resource.size()) + ":" + std::to_string(subject.size()) + ":";
  text += resource;
  text += subject;
  text += id;
  return base64url_encode(hmac_sha256(key_.reveal(), text).substr(0, mac_bytes));
}

std::string session_binding::bind(what kind, std::string_view resource, std::string_view subject,
                                  std::string_view id) const {
  return std::string(id) + "." + mac(kind, resource, subject, id);
}

std::optional<std::string_view> session_binding::release(what kind, std::string_view resource,
                                                         std::string_view subject,
                                                         std::string_view bound) const {
  if (bound.size() < mac_size + 2 || bound[bound.size() - mac_size - 1] != '.') return std::nullopt;
  auto id = bound.substr(0, bound.size() - mac_size - 1);
  if (!equal_constant_time(bound.substr(id.size() + 1), mac(kind, resource, subject, id)))
    return std::nullopt;
  return id;
}

}  // namespace mcp_oauth
