// rooms: bridge
#include "bridge/callback.h"
#include "bridge/kept.h"
#include "bridge/metadata.h"
#include "bridge/registration.h"
#include "bridge/token_requests.h"
#include "bridge/token_words.h"
#include "require.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What servers and browsers send to a bridge that signs in: the first byte chooses what the rest is taken
// for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mcp_oauth;
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  http_answer answer;
  answer.status = 200;
  answer.fields.add("Content-Type", "application/json");
  answer.body = text;
  outbound_rules rules;
  auto now = from_unix(1'800'000'000);
  switch (data[0] % 8) {
    case 0: {
      auto facts = read_server_metadata("https://as.example", "it", answer, rules);
      if (!facts) break;
      require(facts->issuer == "https://as.example");
      // What a browser or a token may go to is plain, whatever the document says.
      for (const auto* endpoint : {&facts->authorization_endpoint, &facts->token_endpoint})
        require(endpoint->empty() || usable_url(*endpoint, "it", rules).has_value());
      require(facts->authorization_endpoint.find_first_of("$'()`\"\\ \r\n") == std::string::npos);
      break;
    }
    case 1: {
      auto server = url::parse("https://mcp.example/a/mcp");
      auto facts = read_resource_metadata(*server, "it", answer);
      require(!facts || !facts->resource.empty());
      break;
    }
    case 2: {
      auto grant = read_token_answer(answer);
      if (!grant) break;
      for (char c : grant->access_token.reveal()) require(c > ' ' && c < 0x7F);
      require(!grant->lifetime || grant->lifetime->count() > 0);
      break;
    }
    case 3: {
      answer.status = 201;
      auto client = read_registration("https://as.example", "http://127.0.0.1/", answer, now);
      require(!client || !client->client_id.empty());
      break;
    }
    case 4: {
      auto judged = judge_callback("GET", "127.0.0.1:4000", "/callback", text, "the state",
                                   "http://127.0.0.1:4000/callback");
      if (const auto* taken = std::get_if<callback_answer>(&judged))
        require(taken->code.empty() != taken->error.empty());
      break;
    }
    case 5: read_demand(text); break;
    case 6: require(!open_kept(text, "name", std::string(32, 'k'))); break;
    case 7: what_token_says(secret(std::string(text)), now); break;
  }
  return 0;
}
