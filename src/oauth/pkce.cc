#include "oauth/pkce.h"

#include "base/base64url.h"
#include "base/form.h"
#include "base/text.h"
#include "jose/digest.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_base64url(char c) { return is_alphanumeric(c) || c == '-' || c == '_'; }
bool is_unreserved(char c) { return is_base64url(c) || c == '.' || c == '~'; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool all_of(std::string_view text, bool (*is)(char)) { return std::all_of(text.begin(), text.end(), is); }
bool has_any(std::string_view text, std::string_view characters) {
  return text.find_first_of(characters) != std::string_view::npos;
}

// Mistakes in the alphabet, the same for both values.
std::string diagnose_encoding(std::string_view text) {
  if (has_any(text, "%")) return "percent-encoded twice";
  bool standard = has_any(text, "+/ ");
  bool padded = !text.empty() && text.back() == '=';
  if (standard && padded) return "standard base64 with padding instead of base64url without";
  if (standard) return "standard base64 instead of base64url";
  if (padded) return "base64url with padding, which belongs off";
  return {};
}

std::string with_standard_alphabet(std::string_view text) {
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  return standard;
}

}  // namespace

bool is_code_verifier(std::string_view text) {
  return text.size() >= 43 && text.size() <= 128 && all_of(text, is_unreserved);
}

bool is_code_challenge(std::string_view text) { return text.size() == 43 && all_of(text, is_base64url); }

std::string code_challenge_of(std::string_view verifier) { return base64url_encode(sha256_bytes(verifier)); }

pkce_pair make_pkce(const random_fn& random) {
  secret verifier(base64url_encode(random(32)));
  std::string challenge = code_challenge_of(verifier.reveal());
  return {std::move(verifier), std::move(challenge)};
}

result<void> check_code_verifier(std::string_view verifier, std::string_view challenge) {
  if (!is_code_verifier(verifier))
    return fail(errc::pkce_malformed, diagnose_code_verifier(verifier, challenge));
  // RFC 7636 §4.6
  if (!equal_constant_time(code_challenge_of(verifier), challenge)) {
    return fail(errc::pkce_mismatch, diagnose_code_verifier(verifier, challenge));
  }
  return {};
}

std::string diagnose_code_challenge(std::string_view malformed) {
  auto encoding = diagnose_encoding(malformed);
  if (!encoding.empty()) return "code_challenge is " + encoding;
  if (malformed.size() == 64 && all_of(malformed, is_hex))
    return "code_challenge is the digest in hexadecimal";
  if (malformed.size() == 86 && all_of(malformed, is_base64url)) {
    return "code_challenge is base64url of the hexadecimal digest";
  }
  if (malformed.size() < 43) return "code_challenge is shorter than 43 characters";
  if (malformed.size() > 43)
    return "code_challenge is longer than 43 characters: perhaps the verifier itself";
  return {};
}

std::string diagnose_code_verifier(std::string_view verifier, std::string_view challenge) {
  if (!is_code_verifier(verifier)) {
    auto encoding = diagnose_encoding(verifier);
    if (!encoding.empty()) return "code_verifier is " + encoding;
    if (verifier.size() < 43) return "code_verifier is shorter than 43 characters";
    if (verifier.size() > 128) return "code_verifier is longer than 128 characters";
    return "code_verifier holds a character outside A-Z a-z 0-9 - . _ ~";
  }
  auto is_of = [&](std::string_view text) { return code_challenge_of(text) == challenge; };
  if (verifier == challenge) return "code_verifier equals code_challenge: method plain";
  if (is_of(std::string(verifier) + "="))
    return "the verifier hashes correctly with padding: sent without it";
  if (is_of(std::string(verifier) + "\n")) return "the verifier was hashed with a line feed after it";
  if (is_of(with_standard_alphabet(verifier)) || is_of(with_standard_alphabet(verifier) + "=")) {
    return "the verifier was hashed in standard base64 and sent in base64url";
  }
  auto decoded = base64url_decode(verifier);
  if (decoded && is_of(*decoded))
    return "the decoded bytes of the verifier were hashed instead of its characters";
  if (is_of(percent_encode(verifier))) return "the verifier was hashed after percent-encoding";
  if (hex_encode(sha256_bytes(verifier)).substr(0, 43) == to_lower(challenge)) {
    return "code_challenge is the beginning of the digest in hexadecimal";
  }
  return {};
}

}  // namespace mcp_oauth
