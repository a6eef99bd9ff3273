#include "base/http.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {

void http_fields::set(std::string_view name, std::string value) {
  erase(name);
  add(std::string(name), std::move(value));
}

void http_fields::erase(std::string_view name) {
  std::erase_if(fields_, [&](const auto& f) { return equal_ignoring_case(f.first, name); });
}

std::optional<std::string_view> http_fields::only(std::string_view name) const {
  if (count(name) != 1) return std::nullopt;
  return first(name);
}

std::string_view http_fields::first(std::string_view name) const {
  for (const auto& [n, v] : fields_) {
    if (equal_ignoring_case(n, name)) return v;
  }
  return {};
}

std::size_t http_fields::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields_.begin(), fields_.end(), [&](const auto& f) { return equal_ignoring_case(f.first, name); }));
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return {};
  }
}

}  // namespace mcp_oauth
