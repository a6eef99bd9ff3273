#include "broker/answers.h"
#include "broker/broker_parts.h"

namespace mcp_oauth {

step with_client(broker_parts& parts, exchange x, std::string client_id, client_step then,
                 record_store* store) {
  auto id = check_client_id(client_id);
  if (!id) return then(x, tl::unexpected(id.error()));
  auto found = parts.clients.find(client_id, x.now, store != nullptr ? *store : parts.world.store);
  if (!found) return then(x, tl::unexpected(found.error()));
  if (*found) return then(x, std::move(**found));
  outbound fetch;
  fetch.call = client_directory::document_request(client_id);
  fetch.rules = parts.clients.document_rules();
  fetch.then = [&parts, x, client_id, then = std::move(then)](result<http_answer> answer, time_point now) {
    return then(x.at(now), parts.clients.keep_document(client_id, answer, now));
  };
  return fetch;
}

step with_authenticated_client(broker_parts& parts, exchange x, client_credentials given,
                               authenticated_step then, record_store* store) {
  x.log->note("client_id", given.client_id);
  auto client_id = given.client_id;
  return with_client(
      parts, x, std::move(client_id),
      [given = std::move(given), then = std::move(then)](const exchange& later,
                                                         const result<known_client>& client) -> step {
        if (!client) return error_answer(later, client.error());
        auto proven = check_client_authentication(given, client->metadata, client->secret_digest);
        if (!proven) return error_answer(later, proven.error());
        return then(later, *client);
      },
      store);
}

}  // namespace mcp_oauth
