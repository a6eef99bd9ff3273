#include "config/config_error.h"

#include "base/base64url.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {

std::string to_string(const config_error& e) {
  std::string text;
  if (e.code == errc::config_not_found) {
    text = std::string(explain(e.code).description) + ": " + e.file;
  } else {
    text = e.file;
    if (e.line > 0) text += ":" + std::to_string(e.line);
    if (!e.key.empty()) text += ": " + e.key;
    if (!e.value.empty()) text += ": value \"" + e.value + "\"";
    text += ": " + e.rule;
  }
  if (!e.hint.empty()) text += " (" + e.hint + ")";
  return text;
}

std::string without_credentials(std::string_view text) {
  std::string shown(text);
  auto scheme_end = shown.find("://");
  auto last_at = shown.rfind('@');
  if (scheme_end != std::string::npos && last_at != std::string::npos && last_at > scheme_end) {
    shown.replace(scheme_end + 3, last_at - scheme_end - 3, "***");
  }
  // What libpq takes behind the question mark: password, sslpassword.
  constexpr std::string_view name = "password=";
  for (auto at = shown.find(name, shown.find('?'));
       scheme_end != std::string::npos && at != std::string::npos; at = shown.find(name, at + name.size())) {
    auto from = at + name.size();
    auto end = shown.find('&', from);
    shown.replace(from, end == std::string::npos ? end : end - from, "***");
  }
  return shown;
}

namespace {

// Of a web address, what stands behind the question mark: often a key.
std::string without_query(std::string text) {
  auto query = text.find('?');
  bool web = text.starts_with("http://") || text.starts_with("https://");
  if (web && query != std::string::npos) text.replace(query + 1, text.npos, "***");
  return text;
}

}  // namespace

std::string displayed(std::string_view value) {
  std::string shown = without_query(without_credentials(value));
  constexpr std::size_t most = 80;
  bool cut = shown.size() > most;
  if (cut) {
    auto end = most;
    while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80)
      --end;  // not inside a character
    shown.resize(end);
  }
  std::string text;
  for (char c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      text += "\\x" + hex_encode(std::string_view(&c, 1));
    } else if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else {
      text += c;
    }
  }
  return cut ? text + "…" : text;
}

}  // namespace mcp_oauth
