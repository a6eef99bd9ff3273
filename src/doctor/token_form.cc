#include "doctor/token_form.h"

#include "base/base64url.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

std::string_view without_blanks(std::string_view text) {
  auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Takes one word, with the blanks behind it, off the beginning.
bool take_word(std::string_view& text, std::string_view word) {
  if (!starts_with_ignoring_case(text, word)) return false;
  auto rest = text.substr(word.size());
  if (rest.empty() || blanks.find(rest.front()) == std::string_view::npos) return false;
  text = without_blanks(rest);
  return true;
}

// Bytes of a signature, where the algorithm says how many; of RSA the least.
std::size_t signature_bytes(std::string_view alg) {
  struct row {
    std::string_view alg;
    std::size_t bytes;
  };
  constexpr auto rows = std::to_array<row>({{"ES256", 64},
                                            {"ES384", 96},
                                            {"ES512", 132},
                                            {"EdDSA", 64},
                                            {"HS256", 32},
                                            {"HS384", 48},
                                            {"HS512", 64}});
  for (const auto& [name, bytes] : rows) {
    if (name == alg) return bytes;
  }
  return alg.starts_with("RS") || alg.starts_with("PS") ? 256 : 0;
}

std::string where_it_is_cut(std::size_t size) {
  std::string words = "it is cut off after " + std::to_string(size) + " characters";
  constexpr auto usual =
      std::to_array<std::size_t>({127,  128,  255,  256,  511,  512,  1000, 1023, 1024,  2000,
                                  2047, 2048, 4000, 4095, 4096, 8000, 8191, 8192, 16383, 16384});
  if (std::find(usual.begin(), usual.end(), size) == usual.end()) return words;
  return words +
         ", which is the limit of a field: look for a column, a variable or a form that holds no more";
}

// The whole answer of a token endpoint in place of what it holds.
template <class Say>
void take_token_response(unwrapped_token& out, Say say) {
  if (!out.text.starts_with('{')) return;
  auto members = parse_json_object(out.text);
  if (!members) return say("the beginning of a JSON document");
  auto token = text_member(*members, "access_token");
  if (token.empty()) return say("a JSON document that has no access_token");
  say("the JSON answer of a token endpoint: its access_token is what a client sends");
  out.text = std::move(token);
}

}  // namespace

bool looks_like_our_refresh_token(std::string_view token) {
  return token.size() == 43 && base64url_decode(token).has_value();
}

unwrapped_token unwrap_token(std::string_view given) {
  if (given.ends_with('\n')) given.remove_suffix(1);
  if (given.ends_with('\r')) given.remove_suffix(1);
  unwrapped_token out;
  std::vector<std::string> around;
  auto say = [&](const std::string& what) {
    if (!holds(around, what)) around.push_back(what);
  };
  auto text = given;
  for (bool again = true; again;) {
    again = false;
    auto inner = without_blanks(text);
    if (inner.size() != text.size()) say("blanks or line breaks");
    text = inner;
    if (take_word(text, "Authorization:")) {
      say("the name of a header field");
      again = true;
    }
    if (take_word(text, "Bearer") || take_word(text, "DPoP")) {
      say("the word of the scheme (Bearer)");
      again = true;
    }
    for (char quote : {'"', '\'', '`'}) {
      if (text.size() < 2 || text.front() != quote || text.back() != quote) continue;
      text = text.substr(1, text.size() - 2);
      say("quotes");
      again = true;
    }
  }
  out.text = text;
  take_token_response(out, say);
  // Of a token that a terminal or a mail has broken into lines.
  if (text.find_first_of(blanks) != std::string_view::npos) {
    std::string joined = out.text;
    std::erase_if(joined, [](char c) { return blanks.find(c) != std::string_view::npos; });
    if (joined.starts_with("ey")) {
      out.text = std::move(joined);
      say("blanks or line breaks in the middle of it");
    }
  }
  if (!around.empty()) out.wrapped = join(around, ", ");
  return out;
}

std::optional<json::object> shown_header(std::string_view token) {
  auto bytes = base64url_decode(token.substr(0, token.find('.')));
  if (!bytes) return std::nullopt;
  auto members = parse_json_object(*bytes);
  if (!members || !members->contains("alg")) return std::nullopt;
  json::object shown;
  for (auto name : {"alg", "enc", "kid", "typ", "cty", "crit", "b64"}) {
    if (const auto* value = members->if_contains(name)) shown[name] = *value;
  }
  return shown;
}

std::string how_it_is_cut(std::string_view token) {
  if (!token.starts_with("ey")) return {};
  auto dots = std::count(token.begin(), token.end(), '.');
  if (dots < 2)
    return where_it_is_cut(token.size()) + ": a JWT has three parts, and of this one there " +
           (dots == 0 ? "is one" : "are two");
  if (dots > 2) return {};
  auto signature = token.substr(token.rfind('.') + 1);
  auto header = shown_header(token);
  auto needed = header ? signature_bytes(text_member(*header, "alg")) : 0;
  auto has = signature.size() * 3 / 4;
  if (needed == 0 || has >= needed) return {};
  return where_it_is_cut(token.size()) + ": its signature has " + std::to_string(has) + " bytes, and " +
         text_member(*header, "alg") + " makes at least " + std::to_string(needed);
}

}  // namespace mcp_oauth
