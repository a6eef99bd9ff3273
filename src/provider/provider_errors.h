#pragma once

#include "base/error.h"

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What an error of an identity provider means for whoever runs this deployment.
struct provider_explanation {
  // Seen in the provider's words: a code, which must stand alone ("invalid_client", "AADSTS50011"), or a
  // sentence of it. Without regard to case.
  std::string_view pattern;
  errc code;
  std::string_view cause;
  std::string_view
      fix;  // {callback_url}, {client_id}, {name}, {tenant_id}, {registered_at} are of this deployment
};

// The more telling patterns come first: Entra puts its own code behind a general one.
std::span<const provider_explanation> provider_explanations();

// The explanation for an error and its description, together as the provider sent them; nothing when they are
// not known.
const provider_explanation* explain_provider_error(std::string_view words);

// What stands for a deployment's own values. None is a secret.
struct deployment_values {
  std::string callback_url;
  std::string client_id;
  std::string name;
  std::string tenant_id;
  std::string registered_at;
};
std::string with_values(std::string_view text, const deployment_values& values);

}  // namespace mcp_oauth
