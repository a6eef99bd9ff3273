// rooms: oauth
// First byte 'p': a proof as it came. Otherwise the first line holds header members and the rest the claims,
// under a genuine signature with the key in the header. What is accepted is for this request and this moment,
// as another reader finds, and comes once.

#include "base/base64url.h"
#include "base/json.h"
#include "jose/jws.h"
#include "oauth/dpop.h"
#include "require.h"

#include <string>

using namespace mcp_oauth;

namespace {

constexpr std::int64_t at = 1'800'000'000;
const std::string token = "token";
const dpop_request request{"POST", "https://mcp.example.com/mcp", token};

const signing_key& key() {
  static const signing_key made = signing_key::generate_es256();
  return made;
}

// A proof whose signature is right, whatever else it says.
std::string signed_proof(std::string_view header_members, std::string_view claims) {
  auto header = parse_json_object(header_members).value_or(json::object());
  if (!header.contains("typ")) header["typ"] = "dpop+jwt";
  header["alg"] = "ES256";
  auto jwk = key().public_part().to_jwk();
  if (header.contains("jwk") && header["jwk"].is_object()) {
    for (const auto& [name, value] : header["jwk"].get_object()) jwk[name] = value;
  }
  header["jwk"] = jwk;
  auto input = base64url_encode(json::serialize(header)) + "." + base64url_encode(claims);
  return input + "." + base64url_encode(key().sign(input));
}

void check(std::string_view proof) {
  auto verified = verify_dpop_proof(proof, request, {}, from_unix(at));
  if (!verified) return;
  auto rest = proof.substr(proof.find('.') + 1);
  auto payload = base64url_decode(rest.substr(0, rest.find('.')));
  auto said = parse_json_object(payload.value());
  require(said.has_value() && text_member(*said, "htm") == "POST" && !text_member(*said, "jti").empty());
  require(text_member(*said, "ath") == base64url_encode(sha256_bytes(token)));
  auto iat = said->at("iat").to_number<double>();
  require(iat > static_cast<double>(at) - 91 && iat < static_cast<double>(at) + 32);
  auto header = parse_json_object(base64url_decode(proof.substr(0, proof.find('.'))).value());
  require(header.has_value() && !header->at("jwk").as_object().contains("d"));
  require(verified->key_thumbprint().size() == 43);
  dpop_replays replays;
  require(replays.admit(*verified, from_unix(at)).has_value());
  require(!replays.admit(*verified, from_unix(at)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = text_of(data, size);
  if (text.starts_with('p')) {
    check(text.substr(1));
    return 0;
  }
  auto [header, claims] = first_line(text);
  check(signed_proof(header, claims));
  return 0;
}
