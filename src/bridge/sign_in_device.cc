// A person signs in on another machine (RFC 8628).

#include "base/json.h"
#include "base/text.h"
#include "bridge/attempt.h"
#include "oauth/displayable.h"

#include <algorithm>

namespace mcp_oauth {

struct device_code {
  secret code;
  milliseconds interval{5000};
  time_point until{};
};

sign_in_step attempt::device(time_point now) {
  if (facts.server.device_authorization_endpoint.empty()) {
    return end(
        errc::sign_in_metadata_invalid,
        (facts.server.issuer.empty() ? "the authorization server" : facts.server.issuer) +
            " names no device_authorization_endpoint, so it gives no device code: sign in without "
            "--device-code "
            "(where no browser is, `bridge login` in a terminal takes the address where one ended), or set "
            "oauth2.deviceAuthorizationUrl (OAUTH2_DEVICE_AUTHORIZATION_URL)");
  }
  if (!choose_client(now)) {
    // A registration wants a redirect URI, although none will be used.
    auto unused = "http://" + settings().callback_host + ":" +
                  std::to_string(settings().callback_port.value_or(port_of_the_guide)) +
                  settings().callback_path;
    return register_client(&attempt::ask_device_code, unused);
  }
  return ask_device_code(now);
}

sign_in_step attempt::ask_device_code(time_point now) {
  const auto& endpoint = facts.server.device_authorization_endpoint;
  auto usable = usable_url(endpoint, "device_authorization_endpoint", world->rules);
  if (!usable) return end(usable.error());
  form parameters;
  if (!scopes.empty()) parameters.add("scope", join(scopes, " "));
  add_common(parameters);
  client_proof proof{client.client_id,          client.auth,
                     client.client_secret,      world->client_key ? &*world->client_key : nullptr,
                     settings().private_key_id, facts.server.issuer.empty() ? endpoint : facts.server.issuer};
  sign_in_fetch fetch;
  fetch.call = token_request(endpoint, std::move(parameters), proof, world->random, now);
  fetch.rules =
      rules_for(*usable, endpoint == settings().device_authorization_url ? named_by::user : named_by::server,
                world->rules);
  fetch.purpose = "the device authorization endpoint";
  fetch.then = [self = shared_from_this()](const result<http_answer>& answer,
                                           time_point later) -> sign_in_step {
    if (!answer) return end(errc::sign_in_token_unreachable, answer.error().detail);
    auto o = parse_json_object(answer->body);
    auto code = std::make_shared<device_code>();
    if (o) code->code = secret(text_member(*o, "device_code"));
    if (answer->status != 200 || !o || code->code.empty()) {
      // It was not the token endpoint that said so.
      auto refusal = read_token_answer(*answer);
      auto why = refusal ? error{errc::sign_in_metadata_invalid, ""} : refusal.error();
      if (refusal || why.code == errc::sign_in_token_invalid)
        return end(errc::sign_in_metadata_invalid,
                   "the device_authorization_endpoint gives no device_code: " + told_of_answer(*answer));
      bool refused = why.code == errc::sign_in_token_refused || why.code == errc::sign_in_client_unknown;
      return end(refused ? errc::sign_in_refused : why.code, "asked for a device code: " + why.detail);
    }
    auto user_code = displayable(text_member(*o, "user_code"));
    auto address = text_member(*o, "verification_uri");
    auto complete = text_member(*o, "verification_uri_complete");
    if (auto fine = openable_url(address, "verification_uri", self->world->rules); !fine)
      return end(fine.error());
    if (!complete.empty() && !openable_url(complete, "verification_uri_complete", self->world->rules))
      complete.clear();
    std::int64_t interval = 5, lifetime = 600;
    read(*o, "interval", interval);
    read(*o, "expires_in", lifetime);
    code->interval = seconds(std::clamp<std::int64_t>(interval, 1, 60));
    // As long as a person may take, and no longer than the code is good.
    code->until = later + std::min(self->settings().callback_timeout,
                                   seconds(std::clamp<std::int64_t>(lifetime, 1, 3600)));
    sign_in_wait wait;
    wait.time = code->interval;
    wait.tell = "To sign in, open " + address + " on any device and enter the code " + user_code;
    wait.address = complete.empty() ? address : complete;
    wait.then = [self, code](time_point then) { return self->poll(code, then); };
    return wait;
  };
  return fetch;
}

sign_in_step attempt::poll(std::shared_ptr<device_code> code, time_point now) {
  if (now >= code->until) return end(errc::sign_in_timeout, "nobody entered the code in time");
  form parameters;
  parameters.add("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
  parameters.add("device_code", std::string(code->code.reveal()));
  add_common(parameters);
  auto again = [self = shared_from_this(), code] {
    sign_in_wait wait;
    wait.time = code->interval;
    wait.then = [self, code](time_point then) { return self->poll(code, then); };
    return wait;
  };
  return ask_token(
      facts.server.token_endpoint, std::move(parameters), true,
      [self = shared_from_this(), code, again](result<token_grant> grant, time_point later) -> sign_in_step {
        if (grant) return self->keep(std::move(*grant), later);
        const auto& why = grant.error();
        auto says = [&](std::string_view word) {
          return why.detail.ends_with("[" + std::string(word) + "]") ||
                 why.detail.ends_with(": " + std::string(word));
        };
        if (says("authorization_pending")) return again();
        // §3.5: slower, also where no answer came.
        if (says("slow_down") || why.code == errc::sign_in_token_unreachable) {
          code->interval += seconds(5);
          return again();
        }
        if (says("expired_token"))
          return end(errc::sign_in_timeout, "nobody entered the code before it expired");
        if (says("access_denied"))
          return end(errc::sign_in_refused, "authorization server returned error: " + why.detail);
        return end(why);
      },
      now);
}

}  // namespace mcp_oauth
