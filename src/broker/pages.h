#pragma once

#include "base/error.h"
#include "base/http.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// The pages that people see. Every value is escaped for HTML; there is no script and nothing from elsewhere.

struct consent_page {
  std::string client_name;
  std::string client_host;     // of a client id that is a URL; "" otherwise
  bool configured = false;     // the operator wrote this client into the configuration
  std::string redirect_host;   // or the private-use scheme
  bool this_computer = false;  // the redirect leads to a program here, which nothing identifies
  std::string resource;
  std::vector<std::string> scopes;
  std::string signed_in_as;
  std::vector<std::pair<std::string, std::string>> choices;  // provider name, words on its button
  std::string other_account;  // the provider to sign in anew at; "": no such button
  std::string request;        // sealed
};

struct sign_in_page {
  std::string client_name;
  std::string login;
  std::string form;  // sealed
  std::string user;
  std::string message;
};

struct new_password_page {
  std::string login;
  std::string form;  // sealed
  std::string user;
  std::string message;
};

// A person first reads what happened and what they can do; the technical words, the code and the request id
// stand below.
struct error_page {
  error why;  // of its detail only what error_description lets through is shown
  std::string request_id;
  std::string return_to;          // a link that takes the error to the client; "": none
  std::string return_host;        // whom it leads to
  std::string sent_redirect_uri;  // shown as text, never as a link; "": nothing to show
  std::string provider;           // the identity provider that cannot be used, as people call it; "": none
  std::string provider_title;     // the one that refused; "": none
  std::string provider_words;     // and its own words; "": none
  std::string cause;              // what is likely wrong in this deployment; "": the catalogue's
  std::string fix;                // what mends it here
  std::string again_at;           // a path of ours that repeats what failed; "": none
  std::string again_request;      // the sealed request of the consent form that repeats it; "": none
  std::string again_provider;     // the value of that form's button
  std::string again_button;       // the name of the button of that form that was pressed: approve, switch
};

http_response to_response(const consent_page& page);
http_response to_response(const sign_in_page& page, int status = 200);
http_response to_response(const new_password_page& page, int status = 200);
http_response to_response(const error_page& page);
http_response sign_out_page(std::string_view signed_in_as, std::string_view form);
http_response signed_out_page();

}  // namespace mcp_oauth
