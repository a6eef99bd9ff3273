#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/url.h"
#include "bridge/settings.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// Which addresses a bridge lets others send it to.
struct outbound_rules {
  std::string server_host;           // of the MCP server: chosen by the user
  bool allow_insecure_http = false;  // cleartext to other machines
  bool allow_inner = false;          // inner addresses of hosts that nobody but a server named

  // What the user configured decides: whoever has a server inside, or allows inner addresses, may be sent to
  // inner addresses; others may not. That there is a proxy is no reason: what is inside is asked past it.
  static outbound_rules of(const bridge_settings& settings);
};

enum class named_by { user, server };

// The URL, if our requests may go there: http(s) with a plain host, no fragment; https, loopback, or the
// explicit override. `who` says who named it, "token_endpoint of https://…", for the detail. The detail of
// cleartext is in the words of the guide. Errors: sign_in_url_refused.
result<url> usable_url(std::string_view text, std::string_view who, const outbound_rules& rules);

// The same for an address that a browser is to open. On top: at most 8 KiB, and none of the characters that
// mean something to a shell and nothing to an authorization server ($ ' ( ) * ! ;); and no inner host that a
// server named and the user did not: a page there would act with what the browser may.
result<url> openable_url(std::string_view text, std::string_view who, const outbound_rules& rules,
                         named_by whom = named_by::server);

// An address that somebody else named, for a message: its first 300 bytes, and nothing that a terminal acts
// on.
std::string shown_address(std::string_view text);

// How a document from there is to be fetched: with addresses::public_only where a server named a host that
// the user did not.
fetch_rules rules_for(const url& to, named_by whom, const outbound_rules& rules);

// The same rules where the request goes by a proxy and by no other way: where a public name leads is the
// proxy's affair, as long as a certificate has to be that name's (https). An inner host stays refused.
fetch_rules rules_by_proxy(const url& to, fetch_rules rules);

// Whether a request may go there at all under such rules, before any name is looked up: of some names only a
// proxy, or the resolver of an office, knows where they lead. Errors: address_refused, of an inner host with
// addresses::public_only.
result<void> check_destination(const url& to, const fetch_rules& rules);

// Whether a host can only be meant as one inside: loopback, a private address, a name of one label or below
// .internal, .local, .lan, .home.arpa, .test or .localhost; with dots at its end or without.
bool is_inner_host(std::string_view host);

}  // namespace mcp_oauth
