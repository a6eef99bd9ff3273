#include "oauth/redact.h"

#include "base/form.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <optional>

namespace mcp_oauth {
namespace {

bool is_token_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~' || c == '+' || c == '/' || c == '=' || c == '%';
}

std::size_t end_of_token(std::string_view text, std::size_t from) {
  while (from < text.size() && is_token_letter(text[from])) ++from;
  return from;
}

// Names whose value opens something. As parameters, members of JSON and header fields; with - or _.
constexpr auto secret_names = std::to_array<std::string_view>({"access_token",
                                                               "refresh_token",
                                                               "id_token",
                                                               "token",
                                                               "code",
                                                               "state",
                                                               "nonce",
                                                               "password",
                                                               "passwd",
                                                               "pwd",
                                                               "client_secret",
                                                               "secret",
                                                               "code_verifier",
                                                               "assertion",
                                                               "api_key",
                                                               "apikey",
                                                               "x_api_key",
                                                               "sig",
                                                               "signature",
                                                               "x_amz_signature",
                                                               "x_amz_security_token",
                                                               "jsessionid",
                                                               "authorization",
                                                               "set_cookie",
                                                               "cookie",
                                                               "client_assertion"});
constexpr std::array<std::string_view, 3> schemes = {"bearer", "basic", "dpop"};
constexpr std::size_t shortest_secret = 16;  // a run of letters that is no word

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || (c >= '0' && c <= '9');
}

bool names_secret(std::string word) {
  std::replace(word.begin(), word.end(), '-', '_');
  return std::find(secret_names.begin(), secret_names.end(), word) != secret_names.end();
}

bool is_scheme(std::string_view word) {
  return std::find(schemes.begin(), schemes.end(), word) != schemes.end();
}

// "invalid_signature": words that are joined, none of them as long as a secret.
bool is_words(std::string_view value) {
  std::size_t letters = 0;
  for (char c : value) {
    bool joins = c == '_' || c == '-' || c == '.';
    if (!joins && (c < 'a' || c > 'z')) return false;
    letters = joins ? 0 : letters + 1;
    if (letters >= shortest_secret) return false;
  }
  return true;
}

// Where the value ends that a secret name at `at` introduces with `=`, or with `:` and quotes; `at` if none.
std::size_t end_of_secret(std::string_view text, std::size_t name_end, std::size_t& begin) {
  auto at = name_end;
  if (at < text.size() && text[at] == '"') ++at;
  if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return 0;
  bool is_colon = text[at] == ':';
  ++at;
  // A form has no blank behind `=`; what comes then is something else.
  while (is_colon && at < text.size() && text[at] == ' ') ++at;
  bool quoted = at < text.size() && (text[at] == '"' || text[at] == '\'');
  // "state: the login took longer" are words of ours
  if (is_colon && !quoted) {
    begin = at;
    auto end = end_of_token(text, at);
    auto value = text.substr(at, end - at);
    return value.size() >= shortest_secret && !is_words(value) ? end : 0;
  }
  if (quoted) {
    auto quote = text[at];
    begin = ++at;
    while (at < text.size() && text[at] != quote) ++at;
    // The name of the next secret is not the value of this one.
    if (names_secret(to_lower(text.substr(begin, at - begin)))) return 0;
    return at;
  }
  begin = at;
  auto end = end_of_token(text, at);
  // "authorization=Bearer …": the scheme is not the secret.
  while (is_scheme(to_lower(text.substr(at, end - at))) && end < text.size() && text[end] == ' ') {
    at = std::min(text.find_first_not_of(' ', end), text.size());
    end = end_of_token(text, at);
  }
  return end;
}

// Without control characters, those beyond ASCII too, and without those that turn the direction of a line.
std::string without_orders(std::string_view text) {
  auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  std::string clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool control = at(i) < 0x20 || at(i) == 0x7F;
    bool control_beyond = at(i) == 0xC2 && at(i + 1) >= 0x80 && at(i + 1) < 0xA0;
    bool turns = at(i) == 0xE2 && ((at(i + 1) == 0x80 && ((at(i + 2) >= 0xAA && at(i + 2) <= 0xAE) ||
                                                          at(i + 2) == 0x8E || at(i + 2) == 0x8F)) ||
                                   (at(i + 1) == 0x81 && at(i + 2) >= 0xA6 && at(i + 2) <= 0xA9));
    if (control || control_beyond || turns) {
      clean += ' ';
      i += turns ? 2 : control_beyond ? 1 : 0;
    } else {
      clean += text[i];
    }
  }
  return clean;
}

bool ends_url(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7F || c == '"' || c == '\'' || c == '<' || c == '>';
}

// What opens something stands in the query of a URL, under names that nobody can list; and in a fragment of
// pairs.
std::string without_queries(std::string_view text) {
  std::string out;
  bool in_url = false;
  std::size_t authority = std::string::npos;  // where it begins in `out`, while in it
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 3) == "://") {
      in_url = true;
      out += "://";
      authority = out.size();
      at += 3;
      continue;
    }
    if (ends_url(text[at])) in_url = false;
    if (text[at] == '/') authority = std::string::npos;
    if (!in_url || (text[at] != '?' && text[at] != '#')) {
      out += text[at++];
      continue;
    }
    auto end = at + 1;
    while (end < text.size() && !ends_url(text[end])) ++end;
    auto cut = text.substr(at, end - at);
    // A sentence goes on behind it.
    auto last = cut.find_last_not_of(",.;:)");
    cut = cut.substr(0, last + 1);
    // A password that nobody encoded goes on up to the @.
    if (authority != std::string::npos && cut.find('@') != std::string_view::npos) {
      out.resize(authority);
      out += "***";
      at += cut.size();
      in_url = false;
      continue;
    }
    bool is_empty = cut.size() <= 1;
    bool is_place = cut.front() == '#' && cut.find('=') == std::string_view::npos;
    if (is_empty || is_place) {
      out += cut;
    } else {
      out += cut.front();
      out += "***";
    }
    at += std::max<std::size_t>(cut.size(), 1);
    in_url = false;
  }
  return out;
}

std::string without_values(std::string_view given) {
  std::string out;
  std::size_t at = 0;
  while (at < given.size()) {
    bool starts = is_name_letter(given[at]) && (at == 0 || !is_name_letter(given[at - 1]));
    if (!starts) {
      // A password in a URL: from the colon behind the user to the last @ of the authority.
      if (given.substr(at, 3) == "://") {
        auto end = given.find_first_of("/?# \"'", at + 3);
        auto authority = given.substr(at + 3, end == std::string_view::npos ? end : end - at - 3);
        auto sign = authority.rfind('@');
        if (sign != std::string_view::npos) {
          out += "://***";
          at += 3 + sign;
          continue;
        }
      }
      out += given[at++];
      continue;
    }
    auto name_end = at;
    while (name_end < given.size() && is_name_letter(given[name_end])) ++name_end;
    auto word = to_lower(given.substr(at, name_end - at));
    std::size_t begin = 0;
    auto end = names_secret(word) ? end_of_secret(given, name_end, begin) : 0;
    if (end > begin) {
      out += given.substr(at, begin - at);
      out += "***";
      at = end;
      continue;
    }
    if (is_scheme(word) && name_end < given.size() && given[name_end] == ' ') {
      auto token_end = end_of_token(given, name_end + 1);
      // "Bearer token" is a sentence.
      if (token_end > name_end + shortest_secret) {
        out += given.substr(at, name_end + 1 - at);
        out += "***";
        at = token_end;
        continue;
      }
    }
    if (given.substr(at, 3) == "eyJ") {
      auto token_end = end_of_token(given, at);
      if (token_end - at > 20) {
        out += "***";
        at = token_end;
        continue;
      }
    }
    out += given.substr(at, name_end - at);
    at = name_end;
  }
  return out;
}

// What is no escape stays as it is; and, if they are to stay, blanks and quotes, where a value would end.
std::string decoded(std::string_view text, bool with_ends) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto byte = text[i] == '%' ? percent_decode(text.substr(i, 3)) : std::nullopt;
    if (!byte || (!with_ends && ends_url(byte->front()))) {
      out += text[i];
      continue;
    }
    out += *byte;
    i += 2;
  }
  return out;
}

constexpr int most_layers = 4;  // of percent-encoding; nobody has more by accident

// Most texts are words of ours, and each refusal has some: one look at every letter.
bool may_hold_secrets(std::string_view text) {
  std::size_t run = 0;
  for (char c : text) {
    run = is_token_letter(c) ? run + 1 : 0;
    if (c == '=' || c == ':' || c == '%' || run >= shortest_secret) return true;
  }
  return false;
}

}  // namespace

std::string without_secrets(std::string_view text) {
  if (!may_hold_secrets(text)) return std::string(text);
  auto plain = without_values(without_queries(text));
  auto kept = plain;
  for (int layer = 0; plain.find('%') != std::string::npos; ++layer) {
    auto before = plain;
    for (bool with_ends : {false, true}) {
      auto next = decoded(plain, with_ends);
      plain = without_values(without_queries(next));
      // Where that shows something, the encoded text shows it, too.
      if (plain != next) kept = plain;
    }
    if (plain == before) break;
    if (layer == most_layers) return kept.substr(0, kept.find('%')) + "***";
  }
  return kept;
}

std::string path_without_secrets(std::string_view path) {
  auto end = path.find('?');
  for (auto mark : {"%3F", "%3f", "%253F", "%253f"}) end = std::min(end, path.find(mark));
  auto kept = without_secrets(path.substr(0, end));
  return end == std::string_view::npos ? kept : kept + "?***";
}

std::string redact(std::string_view text) {
  // A control character may stand between a name and its secret, or come out of an encoded one.
  auto clean = without_orders(without_secrets(without_orders(text.substr(0, 4 * longest_redacted))));
  if (clean.size() > longest_redacted) {
    clean.resize(longest_redacted - 3);
    while (!clean.empty() && (static_cast<unsigned char>(clean.back()) & 0xC0) == 0x80) clean.pop_back();
    if (!clean.empty() && static_cast<unsigned char>(clean.back()) >= 0xC0) clean.pop_back();
    clean += "...";
  }
  if (!is_valid_utf8(clean)) {
    for (char& c : clean) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return clean;
}

}  // namespace mcp_oauth
