#pragma once

#include "app/bridge_log.h"
#include "base/error.h"
#include "base/secret.h"
#include "bridge/settings.h"
#include "net/blocking.h"
#include "net/task.h"
#include "net/worker.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// An access token for the MCP server of this bridge, and no other.
struct bridge_token {
  secret value;
  std::string scheme = "Bearer";  // or "DPoP": then every request needs `proof`, too
  std::uint64_t generation = 0;   // each token that this process had before has a smaller one; 0: no token,
                                  // the server has not asked for any yet
};

// The tokens of one bridge: out of the cache, refreshed, or by a sign-in, together with other bridges to the
// same server. One for the process; it lives on its worker's thread, outlives its tasks, and does what
// blocks on the pool. Many may ask at the same time: there is one refresh and one sign-in, for all of them.
class bridge_credentials {
 public:
  // Reads nothing and starts nothing. `settings` and `log` outlive it.
  bridge_credentials(const bridge_settings& settings, net::worker& worker, net::blocking_pool& pool,
                     bridge_log& log);
  ~bridge_credentials();
  bridge_credentials(const bridge_credentials&) = delete;
  bridge_credentials& operator=(const bridge_credentials&) = delete;

  // What the next request needs. A token that is in memory or in the cache and good comes without a thread
  // and without libcurl. Otherwise a refresh, or a sign-in that may take as long as a person does. Where
  // nothing is known of the server, and the grant does not need to be told, it is a token of generation 0 and
  // of no value: ask the server without Authorization, and `renew` with what it answers. Errors: sign_in_*;
  // the detail is fit for the client and holds no secret.
  // With `person` false nobody is asked for it: what runs by itself (the server's stream, a ping) opens no
  // page.
  net::task<result<bridge_token>> acquire(bool person = true);

  // A token before anybody asks: where the server has to be asked first, this asks it (a ping without
  // credentials). For `bridge login`, and for a start that must not succeed without a token. Errors: as
  // acquire. A server that wants no token is no error, whatever else it answers.
  struct readiness {
    bool signed_in = false;
    int status = 0;     // of the last answer to the ping
    bool page = false;  // that was made for people
  };
  net::task<result<readiness>> prefetch();

  // After the server refused a token (`refused` is its generation): with `status` 401, or 403 whose challenge
  // says insufficient_scope. `challenges` are the values of WWW-Authenticate, joined by ", ", and
  // `dpop_nonce` that of DPoP-Nonce. Comes back with another token (at once, where there is a newer one by
  // now) with which the request may be sent once more; or an error to be passed on: sign_in_*, bounded: after
  // two fresh tokens were refused it is sign_in_tokens_in_vain without asking anybody, for a minute or more.
  // A token of the last five minutes that the server took for another request is refreshed at most, and a few
  // times: the same for this request alone, and nobody is asked. `person` as with acquire.
  net::task<result<bridge_token>> renew(std::uint64_t refused, int status, std::string challenges,
                                        std::string dpop_nonce, bool person = true);

  // The server took the token (2xx): what counts refusals starts anew. Cheap.
  void accepted(std::uint64_t generation);

  // The fields besides `Authorization: <scheme> <value>` that a request with this token needs: the proof
  // (RFC 9449 §4.2) with the scheme DPoP, none otherwise. A fresh one for every sending.
  std::vector<std::pair<std::string, std::string>> proof(const bridge_token& token, std::string_view method,
                                                         std::string_view url);
  // The value of DPoP-Nonce of any answer of the MCP server, for the next proof.
  void take_nonce(std::string_view dpop_nonce);

  // What a person has to do now, for a progress message or an error to the client; nothing while nobody is
  // waited for. Holds the address of the sign-in; no secret.
  std::optional<std::string> waiting_for() const;

  // What the token of now says of itself (`what_token_says`); no secret.
  std::string token_words() const;

  // Whoever reads what is told can paste here: this process is in a terminal.
  void in_terminal();
  // What a person pasted: the address where the browser ended. It goes to whoever waits for it, this process
  // or another. Errors: sign_in_refused, with what is wrong with it.
  net::task<result<void>> paste(std::string text);

  // Ends what waits for a person or for another process, so that the tasks come to an end soon: the client
  // is gone.
  void stop();

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace mcp_oauth
