#pragma once

#include "base/error.h"
#include "broker/step.h"
#include "broker/world.h"
#include "oauth/client_metadata.h"
#include "oauth/registration_request.h"
#include "oauth/server_rules.h"

#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mcp_oauth {

// Who vouches for what a client says about itself.
enum class client_origin {
  configured,  // the operator
  registered,  // nobody (RFC 7591)
  document,    // whoever holds the host of its client id
};

struct known_client {
  client_metadata metadata;
  std::string secret_digest;  // "" for a public client
  client_origin origin = client_origin::registered;
  std::vector<std::string> scopes;  // that the operator allows it; empty: all there are
  bool renewal_due = false;         // its use has to be noted, or it will be forgotten
};

// The scopes that the client may have here, of all that there are.
std::vector<std::string> scopes_for(const settings& conf, const known_client& client);

// The clients: of the configuration, registered (records of kind "client", and until somebody has signed in
// with one "unused_client"), and those whose id is a URL, the documents of which are kept in memory, bounded.
// Safe from every thread.
class client_directory final {
 public:
  explicit client_directory(const broker_world& world) : world_(world) {}

  // What is known without asking anybody; nothing when the client's document has to be fetched first.
  // A registered one is looked for in `store`. Errors: client_unknown, client_document_refused, those of the
  // store.
  result<std::optional<known_client>> find(std::string_view client_id, time_point now, record_store& store);
  // What `find` will read; nothing for a client that is not registered.
  std::optional<record_name> record_of(std::string_view client_id) const;

  // The fetch for that, and what came of it. A document that is not valid is not kept.
  static http_call document_request(std::string_view client_id);
  fetch_rules document_rules() const;
  result<known_client> keep_document(std::string_view client_id, const result<http_answer>& answer,
                                     time_point now);

  // A new registration: registration.unused_lifetime to be used for the first time, and no longer than until
  // registration.most_unused younger ones have come. Those that were used have nothing to fear from them.
  result<void> add(const registered_client& registered, time_point now);
  // The client was used: a registered one is kept for another 90 days.
  void renew(std::string_view client_id, time_point now);

  // What the checks need to know for this client.
  server_rules rules_for(const known_client& client) const;

 private:
  result<void> make_room(time_point now);
  // The document as it was, for a while after its host went away.
  std::optional<known_client> last_good(std::string_view client_id, time_point now);

  struct kept_document {
    std::string client_id;
    client_metadata metadata;
    time_point until;       // then it is asked for again
    time_point good_until;  // where its host does not answer
  };

  const broker_world& world_;
  std::mutex mutex_;
  std::list<kept_document> recent_;  // the front was used last
  std::unordered_map<std::string_view, std::list<kept_document>::iterator> documents_;
};

}  // namespace mcp_oauth
