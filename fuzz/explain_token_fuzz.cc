// rooms: doctor
// What is told of a token. First byte: 'c' a token as it came, 't' the claims of one under a genuine
// signature.

#include "base/text.h"
#include "doctor/explain_token.h"
#include "doctor/moment.h"
#include "doctor/print_explanation.h"
#include "doctor/token_form.h"
#include "jose/jws.h"
#include "require.h"

#include <memory>
#include <string>

using namespace mcp_oauth;

namespace {

const time_point now = from_unix(1'800'000'000);

const signing_key& key() {
  static const signing_key made = signing_key::generate_es256();
  return made;
}

token_question question(bool ours) {
  static const auto keys = std::make_shared<const key_set>(key_set::of({key().public_part().with_kid("k")}));
  token_question q;
  q.server = "mcp";
  q.resource = "https://mcp.example.com/mcp";
  q.rules.tools.given = true;
  q.rules.tools.rules = {{"echo", {"read"}}, {"delete_*", {"write"}}};
  token_authority by;
  by.name = ours ? "this gateway" : "an issuer";
  by.keys = keys;
  by.clock_ahead = seconds(60);
  if (ours) {
    token_rules rules;
    rules.issuer = "https://idp.example.com";
    rules.audience = q.resource;
    by.rules = rules;
  } else {
    issuer_rules rules;
    rules.issuer = "https://idp.example.com";
    rules.audiences = {q.resource};
    by.rules = rules;
  }
  q.authorities = {std::move(by)};
  return q;
}

void explain_one(std::string_view given, std::string_view signature, bool ours) {
  auto q = question(ours);
  auto inner = unwrap_token(given);
  const auto& by = q.authorities.front();
  if (const auto* rules = std::get_if<token_rules>(&by.rules)) {
    q.judged = verify_access_token(inner.text, *by.keys, *rules, now);
  } else {
    q.judged = verify_issuer_token(inner.text, *by.keys, std::get<issuer_rules>(by.rules), now);
  }
  bool good = q.judged->has_value();
  auto told = explain_token(given, q, now);
  // The verdict is the server's own, and what is told agrees with it.
  require(told.outcome != token_outcome::opens || (good && inner.wrapped.empty()));
  require(!good || told.outcome != token_outcome::refused || !inner.wrapped.empty());
  require((told.outcome == token_outcome::refused) == told.first_cause.has_value());
  if (!good && inner.wrapped.empty()) require(told.outcome == token_outcome::refused);
  auto text = to_text(told, false);
  for (char c : text) require(c == '\n' || (c != 0x7F && (c < 0 || c >= ' ')));
  require(is_valid_utf8(text));
  auto document = json::serialize(to_json(told));
  require(parse_json_object(document).has_value());
  if (signature.empty()) return;
  require(text.find(signature) == std::string::npos && document.find(signature) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  auto rest = input.substr(1);
  parse_moment(rest);
  for (bool ours : {true, false}) {
    if (input.front() == 'c') explain_one(rest, "", ours);
    if (input.front() != 't') continue;
    auto token = sign_jws(key(), "at+jwt", "k", rest);
    explain_one(token, std::string_view(token).substr(token.rfind('.') + 1), ours);
  }
  return 0;
}
