#include "oauth/endpoint_form.h"

#include "base/text.h"

#include <array>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_body = 64 * 1024;
constexpr std::array<std::string_view, 7> credentials = {
    "client_secret", "client_assertion", "code", "code_verifier", "refresh_token", "token", "password"};

bool is_utf8_or_unnamed(std::string_view content_type) {
  auto parameters = split_words(content_type, ';');
  for (std::size_t i = 1; i < parameters.size(); ++i) {
    auto parameter = trim(parameters[i]);
    if (!starts_with_ignoring_case(parameter, "charset=")) continue;
    auto charset = parameter.substr(8);
    if (!equal_ignoring_case(charset, "utf-8") && !equal_ignoring_case(charset, "\"utf-8\"")) return false;
  }
  return true;
}

}  // namespace

bool is_media_type(std::string_view content_type, std::string_view type) {
  return equal_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), type);
}

result<form> parse_endpoint_form(const http_request& request) {
  if (request.method != "POST") return fail(errc::http_method_refused, "not POST");
  auto content_type = request.fields.only("content-type");
  if (!content_type || !is_media_type(*content_type, "application/x-www-form-urlencoded") ||
      !is_utf8_or_unnamed(*content_type)) {
    return fail(errc::http_media_type_unsupported, "not a form in UTF-8");
  }
  if (request.body.size() > longest_body) return fail(errc::body_too_large, "a form over 64 KiB");
  auto query = form::parse(request.query);
  if (!query) return query;
  for (auto name : credentials) {
    if (query->find(name)) return fail(errc::parameter_malformed, std::string(name) + " stands in the query");
  }
  return form::parse(request.body);
}

result<std::optional<std::string>> optional_parameter(const form& parameters, std::string_view name,
                                                      std::size_t longest) {
  auto values = parameters.all(name);
  if (values.size() > 1) return fail(errc::parameter_repeated, std::string(name));
  if (values.empty()) return std::optional<std::string>{};
  if (values.front().size() > longest) return fail(errc::parameter_too_long, std::string(name));
  return std::optional<std::string>(values.front());
}

result<std::string> required_parameter(const form& parameters, std::string_view name, std::size_t longest) {
  auto value = optional_parameter(parameters, name, longest);
  if (!value) return tl::unexpected(value.error());
  if (!*value) return fail(errc::parameter_missing, std::string(name));
  return std::move(**value);
}

}  // namespace mcp_oauth
