#pragma once

#include "broker/client_directory.h"
#include "broker/endpoint.h"
#include "broker/exchange.h"
#include "broker/pending_login.h"
#include "broker/provider_documents.h"
#include "broker/provider_tokens.h"
#include "broker/rate_limits.h"
#include "broker/signing_keys.h"
#include "broker/step.h"
#include "broker/world.h"
#include "oauth/authorization_request.h"
#include "oauth/client_authentication.h"

#include <functional>
#include <memory>

namespace mcp_oauth {

// For the sources of this room only: what the endpoints share, and the endpoints themselves, one file each.
struct broker_parts {
  explicit broker_parts(broker_world w)
      : world(std::move(w)),
        clients(world),
        counts(world.counts ? world.counts : std::make_shared<rate_limits>(world.random)) {}

  broker_world world;
  client_directory clients;
  provider_documents providers;
  std::shared_ptr<rate_limits> counts;
  std::function<std::shared_ptr<const key_state>()> keys;
};

step authorize(broker_parts& parts, exchange x);
step consent(broker_parts& parts, exchange x);
step sign_in(broker_parts& parts, exchange x);
step callback(broker_parts& parts, exchange x);
step token(broker_parts& parts, exchange x);
step refresh(broker_parts& parts, exchange x);
step register_client(broker_parts& parts, exchange x);
step revoke(broker_parts& parts, exchange x);
step introspect(broker_parts& parts, exchange x);
step sign_out(broker_parts& parts, exchange x);
step publish_keys(broker_parts& parts, exchange x);

// with_client.cc: the client of that id, after fetching its document where that is needed. `store`: where a
// registered one is looked for, at once; nothing: in that of the world.
using client_step = std::function<step(exchange, result<known_client>)>;
step with_client(broker_parts& parts, exchange x, std::string client_id, client_step then,
                 record_store* store = nullptr);
// The same, and it proved who it is (RFC 6749 §2.3); what fails is answered here.
using authenticated_step = std::function<step(exchange, const known_client&)>;
step with_authenticated_client(broker_parts& parts, exchange x, client_credentials given,
                               authenticated_step then, record_store* store = nullptr);

// begin_sign_in.cc: after the approval. Leads to a sign-in page, to an identity provider, or, for a browser
// where somebody is signed in, straight back to the client. `fresh`: ask again in any case.
enum class sign_in_mode { reuse, fresh };
step begin_sign_in(broker_parts& parts, exchange x, pending_login login, sign_in_mode mode);

// Leads to the same request with the page before it: who is there is not who approved it, or not who the page
// named.
step ask_the_person_themselves(const exchange& x, const pending_login& login);
// Commits a code for the person, together with `also`, what they approved, and what is kept of the provider's
// tokens for the grant to come, and leads back to the client. Where somebody else had approved, `also` alone
// is committed, and the person is led to a consent page of their own.
step answer_with_code(broker_parts& parts, const exchange& x, const pending_login& login, const person& who,
                      change also, std::optional<provider_tokens> kept = {});
// Leads back to the client with an error, and notes it.
step answer_with_error(broker_parts& parts, const exchange& x, const approved_access& access,
                       const error& why);
approved_access access_of(const known_client& client, const authorization_terms& terms);

// 405 with Allow, or nothing when the method is one of those.
std::optional<http_response> refuse_other_methods(const exchange& x,
                                                  std::initializer_list<std::string_view> allowed);

}  // namespace mcp_oauth
