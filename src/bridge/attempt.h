#pragma once

// What the parts of a sign-in share. For the files of this room that make it up.

#include "bridge/discovery.h"
#include "bridge/sign_in.h"
#include "bridge/token_requests.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

struct attempt : std::enable_shared_from_this<attempt> {
  std::shared_ptr<const sign_in_world> world;
  kept_sign_in kept;
  sign_in_purpose purpose;

  std::string known_issuer;  // who gave what was kept at the beginning; "": not known

  discovered facts;
  bool located = false;
  std::vector<std::string> scopes;
  std::string resource;  // to be sent; "": none
  kept_client client;
  std::optional<signing_key> dpop_key;
  bool dpop = false;
  std::string dpop_nonce;

  // of the way over a browser
  secret verifier;
  std::string state, redirect_uri;
  bool registered_again = false, visited_again = false, without_prompt = false;
  std::string identity_assertion;  // of the identity provider, for this authorization server

  using next = sign_in_step (attempt::*)(time_point);

  const bridge_sign_in_settings& settings() const { return world->settings.sign_in; }
  void note(bridge_log_level level, const std::string& text) const {
    if (world->note) world->note(level, text);
  }
  static sign_in_step end(error why) { return result<kept_sign_in>(tl::unexpected<error>(std::move(why))); }
  static sign_in_step end_of_client(error why);
  static sign_in_step end(errc code, std::string detail) { return end(error{code, std::move(detail)}); }

  // sign_in.cc: where to, and what is tried
  sign_in_step begin(time_point now);
  sign_in_step locate(time_point now);
  sign_in_step found(time_point now);
  sign_in_step grant(time_point now);
  void lay_settings_over();
  void choose_resource();
  result<void> choose_client(time_point now);
  result<void> check_issuer() const;
  result<void> check_configured_client() const;
  result<void> check_configured_refresh() const;

  // sign_in_tokens.cc: requests to the token endpoint
  bool has_refresh_token() const;
  sign_in_step refresh(time_point now);
  sign_in_step client_credentials(time_point now);
  sign_in_step exchange_code(const std::string& code, time_point now);
  sign_in_step by_assertion(const secret& assertion, time_point now);
  sign_in_step enterprise(time_point now);
  sign_in_step exchange_identity(const std::string& endpoint, time_point now);
  using token_then = std::function<sign_in_step(result<token_grant>, time_point)>;
  sign_in_step ask_token(std::string endpoint, form parameters, bool repeatable, token_then then,
                         time_point now, bool again = false);
  sign_in_step keep(token_grant grant, time_point now);
  void prepare_dpop();
  void add_common(form& parameters) const;

  // sign_in_person.cc: a person and a browser
  sign_in_step with_person(time_point now);
  sign_in_step listen(time_point now);
  sign_in_step register_client(next then, const std::string& redirect);
  sign_in_step preflight(time_point now);
  sign_in_step visit(time_point now);
  sign_in_step answered(result<callback_answer> answer, time_point now);
  sign_in_step once_more_registered();
  std::string authorization_address();

  // sign_in_device.cc
  sign_in_step device(time_point now);
  sign_in_step ask_device_code(time_point now);
  sign_in_step poll(std::shared_ptr<struct device_code> code, time_point now);
};

}  // namespace mcp_oauth
