#include "base/form.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

result<form> form::parse(std::string_view encoded, std::size_t most) {
  form parsed;
  while (!encoded.empty()) {
    auto end = std::min(encoded.find('&'), encoded.size());
    auto pair = encoded.substr(0, end);
    encoded.remove_prefix(std::min(end + 1, encoded.size()));
    if (pair.empty()) continue;
    auto equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals), true);
    auto value = decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view{}, true);
    if (!name || !value) return fail(errc::parameter_malformed, "broken percent-encoding");
    if (!is_valid_utf8(*name) || !is_valid_utf8(*value)) return fail(errc::parameter_malformed, "not UTF-8");
    if (name->find('\0') != std::string::npos || value->find('\0') != std::string::npos) {
      return fail(errc::parameter_malformed, "NUL in a parameter");
    }
    if (parsed.pairs_.size() == most) return fail(errc::parameter_malformed, "too many parameters");
    parsed.pairs_.emplace_back(std::move(*name), std::move(*value));
  }
  return parsed;
}

std::optional<std::string_view> form::find(std::string_view name) const {
  for (const auto& [n, v] : pairs_) {
    if (n == name && !v.empty()) return v;
  }
  return std::nullopt;
}

std::vector<std::string_view> form::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [n, v] : pairs_) {
    if (n == name && !v.empty()) values.push_back(v);
  }
  return values;
}

std::string form::encode() const {
  std::string out;
  for (const auto& [n, v] : pairs_) {
    if (!out.empty()) out += '&';
    out += percent_encode(n) + "=" + percent_encode(v);
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) { return decode(text, false); }

}  // namespace mcp_oauth
